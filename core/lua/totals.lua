-- What all workers have told.
--
-- KEYS: metrics:sums, metrics:gauges, metrics:workers.
-- Returns {sums (sample, value, ...), gauges (JSON) of each worker that told them lately}.

local SILENT_MS = 20000

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local told = {}
for _, worker in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], now - SILENT_MS, '+inf')) do
  local gauges = redis.call('HGET', KEYS[2], worker)
  if gauges then
    told[#told + 1] = gauges
  end
end
return {redis.call('HGETALL', KEYS[1]), told}
