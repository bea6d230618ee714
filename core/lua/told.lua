-- What was told need not be told again, unless it has changed since.
--
-- KEYS: what is still to be told (see entry.lua).  ARGV: group, mark, group, mark, ...
-- Returns {}.

for i = 1, #ARGV, 2 do
  if redis.call('ZSCORE', KEYS[1], ARGV[i]) == ARGV[i + 1] then
    redis.call('ZREM', KEYS[1], ARGV[i])
  end
end
return {}
