-- A cached body that is current now; or else the lease to make one, if nobody holds it.
--
-- KEYS: epoch, seq, versions, horizon, body, lease.
-- ARGV: proposed epoch, token, lease (ms), how many keys it depends on, those keys, their prefixes.
-- Returns {generation, sequence, 'body', bytes}, {..., 'lease'}, or {..., 'taken', ms left}.
--
-- Whoever gets the lease gets with it the number that its body will carry: both are of one moment,
-- and the database is read after it.

local gen = generation(KEYS[1], ARGV[1])
local seq = tonumber(redis.call('GET', KEYS[2]) or '0')

local kept = redis.call('HMGET', KEYS[5], 'generation', 'sequence')
if kept[1] == gen then
  local newest = 0
  for i = 5, #ARGV do
    local version = redis.call('ZSCORE', KEYS[3], ARGV[i])
    if not version and i < 5 + tonumber(ARGV[4]) then
      version = redis.call('GET', KEYS[4]) or '0'
    end
    newest = math.max(newest, tonumber(version or '0'))
  end
  if newest <= tonumber(kept[2]) then
    return {gen, seq, 'body', redis.call('HGET', KEYS[5], 'bytes')}
  end
end

if redis.call('SET', KEYS[6], ARGV[2], 'NX', 'PX', ARGV[3]) then
  return {gen, seq, 'lease'}
end
return {gen, seq, 'taken', redis.call('PTTL', KEYS[6])}
