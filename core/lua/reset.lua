-- Makes every stamp before now void, and says so: nothing is known, and the horizon is here.
--
-- KEYS: epoch, seq, versions, horizon, channel.  ARGV: proposed epoch, notice (JSON).
-- Returns {generation, sequence}.

local gen = generation(KEYS[1], ARGV[1])
local seq = redis.call('INCR', KEYS[2])
redis.call('DEL', KEYS[3])
redis.call('SET', KEYS[4], seq)
redis.call('PUBLISH', KEYS[5], gen .. '-' .. seq .. ' ' .. ARGV[2])
return {gen, seq}
