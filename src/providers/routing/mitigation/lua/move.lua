-- Writes what follows, if nobody else has decided meanwhile.
-- KEYS: records, windows, history, requests
-- ARGV: subject, channel, record as it was read ('' for none), record as it will be, '1' to empty the window,
--       the request that is granted ('' for none), from, to, reason, note
-- Returns: 1 if it was written, else 0
local subject, granted = ARGV[1], ARGV[6]
if (redis.call('HGET', KEYS[1], subject) or '') ~= ARGV[3] then return 0 end

redis.call('HSET', KEYS[1], subject, ARGV[4])
if ARGV[5] == '1' then redis.call('DEL', KEYS[2]) end
if granted ~= '' and redis.call('HGET', KEYS[4], subject) == granted then redis.call('HDEL', KEYS[4], subject) end
redis.call('XADD', KEYS[3], 'MAXLEN', '~', '1000', '*',
  'subject', subject, 'from', ARGV[7], 'to', ARGV[8], 'reason', ARGV[9], 'note', ARGV[10])
redis.call('PUBLISH', ARGV[2], subject)
return 1
