-- Put before every other script. Keys of Coursewire in Redis; {p} is the prefix, a hash tag, so that
-- a cluster holds them all in one slot:
--
--   {p}:seq       string      the number of the last publication
--   {p}:epoch     string      random; a new one makes every stamp void
--   {p}:versions  sorted set  text form of a key -> number of the last publication that named it
--   {p}:horizon   string      the highest number ever trimmed from {p}:versions
--   {p}:probe     string      written to learn whether writes are taken
--   {p}:notices   channel     "<stamp> <json>"; its name carries the prefix because PUBLISH ignores
--                             database numbers
--   {p}:body:<build>:<key>    hash        what a key shows: generation, sequence, bytes
--   {p}:lease:<build>:<key>   string      the token of the one who makes that body now
--   {p}:known:<hash>          string      what workers tell each other of a session or a guard's
--                             answer, sealed: its stamp, the keys it depends on, its value
--   {p}:bodies    sorted set  name of a body, or of a {p}:known -> when it was kept (ms)
--   {p}:sizes     hash        the same name -> its bytes, for as long as it is in {p}:bodies
--   {p}:total     string      the sum of {p}:sizes
--   {p}:room      string      after Redis ran out of memory: how many bytes of bodies are kept
--   {p}:metrics:sums      hash        a sample of what only grows -> its sum over all workers
--   {p}:metrics:gauges    hash        a worker -> its gauges (JSON)
--   {p}:metrics:reports   hash        a worker -> the number of its last report that was added
--   {p}:metrics:workers   sorted set  a worker -> when it last told (ms)
--   {p}:metrics:measurer  string      the worker that measures what all share, such as the outbox
--
-- The generation is a hash of the server's run id and the epoch. Lost data, a flush, a failover and
-- a restored dump each change one of the two: FLUSHALL keeps the run id and loses the epoch; a
-- restart keeps the epoch of its dump and has a new run id.

local function generation(epoch_key, proposed_epoch)
  local epoch = redis.call('GET', epoch_key)
  if not epoch then
    redis.call('SET', epoch_key, proposed_epoch)
    epoch = proposed_epoch
  end
  local run_id = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') or ''
  return string.sub(redis.sha1hex(run_id .. ':' .. epoch), 1, 12)
end
