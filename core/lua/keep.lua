-- Keeps a body, if its lease is still held; the oldest bodies make room for it.
--
-- KEYS: body, lease, bodies, sizes, total, room.
-- ARGV: token, generation, sequence, bytes, time to live (ms), budget (bytes).
-- Returns {1} when it was kept, {0} when the lease was lost meanwhile.

if redis.call('GET', KEYS[2]) ~= ARGV[1] then
  return {0}
end
redis.call('DEL', KEYS[2])

local size = #ARGV[4] + 2 * #KEYS[1]
local time = redis.call('TIME')
local before = redis.call('HGET', KEYS[4], KEYS[1]) or '0'
redis.call('HSET', KEYS[1], 'generation', ARGV[2], 'sequence', ARGV[3], 'bytes', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('ZADD', KEYS[3], time[1] * 1000 + math.floor(time[2] / 1000), KEYS[1])
redis.call('HSET', KEYS[4], KEYS[1], size)
redis.call('INCRBY', KEYS[5], size - before)

make_room(KEYS[3], KEYS[4], KEYS[5], tonumber(redis.call('GET', KEYS[6]) or ARGV[6]))
return {1}
