-- Puts an entry of a plugin into its group, or takes it out.
--
-- KEYS: the group's entries (hash: name -> value), when each of all groups ends (sorted set:
--       "group\nname" -> ms), what changed and is still to be told (sorted set: group -> ms from
--       which somebody else tells it).
-- ARGV: group, name, value ('' takes it out), time to live (ms), how long the one who changed it
--       has to tell it (ms), most entries of a group, how long a group is kept at all (ms).
-- Returns {entries before (flat), entries after (flat), mark: '' if nothing changed}.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local before = redis.call('HGETALL', KEYS[1])
local old = redis.call('HGET', KEYS[1], ARGV[2])
local member = ARGV[1] .. '\n' .. ARGV[2]

if ARGV[3] == '' then
  redis.call('ZREM', KEYS[2], member)
  if not old then
    return {before, before, ''}
  end
  redis.call('HDEL', KEYS[1], ARGV[2])
else
  if not old and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[6]) then
    return {before, before, ''}
  end
  redis.call('ZADD', KEYS[2], now + ARGV[4], member)
  for _, key in ipairs({KEYS[1], KEYS[2], KEYS[3]}) do
    redis.call('PEXPIRE', key, ARGV[7])
  end
  if old == ARGV[3] then
    return {before, before, ''}
  end
  redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
  redis.call('PEXPIRE', KEYS[1], ARGV[7])
end

local mark = string.format('%.0f', now + ARGV[5])
redis.call('ZADD', KEYS[3], mark, ARGV[1])
redis.call('PEXPIRE', KEYS[3], ARGV[7])
return {before, redis.call('HGETALL', KEYS[1]), mark}
