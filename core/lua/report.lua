-- One worker tells what it counted since it last told, and how its gauges stand. Atomic, and done at
-- most once: a worker that never got the answer tells the same report, under the same number, again.
--
--   worker   report 7: +3 ──► Redis adds 3, notes 7 ── the answer is lost
--            report 7: +3 ──► 7 is noted already: nothing is added
--            report 8: +5 ──► adds 5 (all that was counted meanwhile)
--
-- KEYS: metrics:sums, metrics:gauges, metrics:reports, metrics:workers, metrics:measurer.
-- ARGV: worker, number, gauges (JSON, or '' when it ends), sample, increment, sample, increment, ...
-- Returns {1 if this worker is the one that measures what all share, else 0}.

local SILENT_MS = 20000      -- after so long a worker's gauges no longer count
local GONE_MS = 86400000     -- after so long nobody repeats its last report any more

local worker, number = ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

if tonumber(redis.call('HGET', KEYS[3], worker) or '0') < number then
  for i = 4, #ARGV, 2 do
    redis.call('HINCRBYFLOAT', KEYS[1], ARGV[i], ARGV[i + 1])
  end
  redis.call('HSET', KEYS[3], worker, ARGV[2])
end

redis.call('ZADD', KEYS[4], now, worker)
for _, silent in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now - SILENT_MS)) do
  redis.call('HDEL', KEYS[2], silent)
end
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now - GONE_MS)) do
  redis.call('ZREM', KEYS[4], gone)
  redis.call('HDEL', KEYS[3], gone)
end

if ARGV[3] == '' then
  redis.call('HDEL', KEYS[2], worker)
  if redis.call('GET', KEYS[5]) == worker then
    redis.call('DEL', KEYS[5])
  end
  return {0}
end
redis.call('HSET', KEYS[2], worker, ARGV[3])
if redis.call('SET', KEYS[5], worker, 'NX', 'PX', SILENT_MS) then
  return {1}
end
if redis.call('GET', KEYS[5]) == worker then
  redis.call('PEXPIRE', KEYS[5], SILENT_MS)
  return {1}
end
return {0}
