-- Put before the scripts that keep bodies.
--
-- A body that expired stays counted until it is the oldest: the total is never too low.

local function make_room(bodies_key, sizes_key, total_key, budget)
  local total = tonumber(redis.call('GET', total_key) or '0')
  while total > budget do
    local oldest = redis.call('ZPOPMIN', bodies_key)[1]
    if not oldest then
      redis.call('DEL', sizes_key, total_key)
      return
    end
    local size = tonumber(redis.call('HGET', sizes_key, oldest) or '0')
    redis.call('UNLINK', oldest)
    redis.call('HDEL', sizes_key, oldest)
    total = redis.call('DECRBY', total_key, size)
  end
end
