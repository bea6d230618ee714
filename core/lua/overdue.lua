-- Takes out the entries of a plugin whose time is over, and says which groups somebody has to tell of:
-- theirs, and those of which whoever changed them has not told in time (it may have died).
--
-- KEYS: when each entry ends, what is still to be told (see entry.lua).
-- ARGV: what the name of a group's entries begins with, how long the caller has to tell (ms), most
--       entries at once, how long a group is kept at all (ms).
-- Returns {group, mark, group, mark, ...}. The entries of a group are named in here: all names have
-- the one hash tag.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local mark = string.format('%.0f', now + ARGV[2])
local groups, told = {}, {}

for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[3])) do
  local cut = string.find(member, '\n', 1, true)
  local group = string.sub(member, 1, cut - 1)
  redis.call('HDEL', ARGV[1] .. group, string.sub(member, cut + 1))
  redis.call('ZREM', KEYS[1], member)
  groups[group] = true
end
for _, group in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, ARGV[3])) do
  groups[group] = true
end
for group in pairs(groups) do
  redis.call('ZADD', KEYS[2], mark, group)
  told[#told + 1] = group
  told[#told + 1] = mark
end
if #told > 0 then
  redis.call('PEXPIRE', KEYS[2], ARGV[4])
end
return told
