-- KEYS: epoch, seq, probe.  ARGV: proposed epoch, whether to write ('1').
-- Returns {generation, sequence}.
--
-- A Redis that is out of memory, or a read-only replica, still answers reads. Whoever must know
-- whether publications arrive asks with a write, which fails then.

if ARGV[2] == '1' then
  redis.call('SET', KEYS[3], ARGV[1])
end
return {generation(KEYS[1], ARGV[1]), tonumber(redis.call('GET', KEYS[2]) or '0')}
