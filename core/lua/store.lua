-- Keeps what the workers tell each other; the oldest of it, and of the bodies, make room.
--
-- KEYS: bodies, sizes, total, room, name, name, ...
-- ARGV: time to live (ms), budget (bytes), text, text, ...
-- Returns {}.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local grown = 0
for i = 5, #KEYS do
  local name, text = KEYS[i], ARGV[i - 2]
  local size = #text + 2 * #name
  grown = grown + size - (redis.call('HGET', KEYS[2], name) or '0')
  redis.call('SET', name, text, 'PX', ARGV[1])
  redis.call('ZADD', KEYS[1], now, name)
  redis.call('HSET', KEYS[2], name, size)
end
redis.call('INCRBY', KEYS[3], grown)
make_room(KEYS[1], KEYS[2], KEYS[3], tonumber(redis.call('GET', KEYS[4]) or ARGV[2]))
return {}
