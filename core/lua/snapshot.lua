-- What a hub needs to answer stamps out of its memory, as of one moment.
--
-- KEYS: epoch, seq, versions, horizon.  ARGV: proposed epoch, how many of the newest versions.
-- Returns {generation, sequence, horizon, {key, number, key, number, ...}}.

local gen = generation(KEYS[1], ARGV[1])
local seq = tonumber(redis.call('GET', KEYS[2]) or '0')
local horizon = tonumber(redis.call('GET', KEYS[4]) or '0')
local newest = redis.call('ZREVRANGE', KEYS[3], 0, tonumber(ARGV[2]) - 1, 'WITHSCORES')
if redis.call('ZCARD', KEYS[3]) > #newest / 2 then
  horizon = math.max(horizon, tonumber(newest[#newest]))
end
return {gen, seq, horizon, newest}
