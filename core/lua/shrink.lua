-- Redis is out of memory: half of the bodies go, and for a while no more than that are kept.
--
-- KEYS: bodies, sizes, total, room.  ARGV: how long (ms).
-- Returns {bytes kept}.

local left = math.floor(tonumber(redis.call('GET', KEYS[3]) or '0') / 2)
make_room(KEYS[1], KEYS[2], KEYS[3], left)
redis.call('SET', KEYS[4], left, 'PX', ARGV[1])
return {left}
