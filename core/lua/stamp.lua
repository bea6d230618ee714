-- KEYS: epoch, seq.  ARGV: proposed epoch.  Returns {generation, sequence}.
return {generation(KEYS[1], ARGV[1]), tonumber(redis.call('GET', KEYS[2]) or '0')}
