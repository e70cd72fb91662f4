-- Asks for mitigations, once for each alert.
-- KEYS: requests, alerts that have been heard (sorted set by time)
-- ARGV: channel, id of the alert, how long it is remembered in ms, who asks, aliases …
-- Returns: 1 if it was new, else 0
--@include ../../breaker/lua/time.lua

local now, id, keep_ms = now_ms(), ARGV[2], tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', whole(now - keep_ms))
if redis.call('ZSCORE', KEYS[2], id) then return 0 end

redis.call('ZADD', KEYS[2], whole(now), id)
redis.call('PEXPIRE', KEYS[2], whole(keep_ms))
for i = 5, #ARGV do redis.call('HSET', KEYS[1], ARGV[i], whole(now) .. ' ' .. ARGV[4]) end
redis.call('PEXPIRE', KEYS[1], whole(keep_ms))
redis.call('PUBLISH', ARGV[1], id)
return 1
