-- One publication, atomically: a number, the versions of its keys, the trim, the notice.
--
-- KEYS: epoch, seq, versions, horizon, channel.
-- ARGV: proposed epoch, versions kept, notice (JSON), key, key, ...
-- Returns {generation, sequence}.

local gen = generation(KEYS[1], ARGV[1])
local seq = redis.call('INCR', KEYS[2])

for i = 4, #ARGV do
  redis.call('ZADD', KEYS[3], seq, ARGV[i])
end

-- Names of one publication share its number: trim whole numbers, or a key whose number equals the
-- horizon would be there and its neighbour not, which is harmless, and one above it never goes.
local excess = redis.call('ZCARD', KEYS[3]) - tonumber(ARGV[2])
if excess > 0 then
  local trimmed = redis.call('ZPOPMIN', KEYS[3], excess)
  redis.call('SET', KEYS[4], trimmed[#trimmed])
end

redis.call('PUBLISH', KEYS[5], gen .. '-' .. seq .. ' ' .. ARGV[3])
return {gen, seq}
