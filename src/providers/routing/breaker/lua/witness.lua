-- Somebody was refused at a provider: how many different ones were within the window?
-- KEYS: witnesses (sorted set by time)
-- ARGV: witness, window ms
-- Returns: how many
--@include breaker.lua

local now, window = now_ms(), tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', whole(now - window))
redis.call('ZADD', KEYS[1], whole(now), ARGV[1])
redis.call('PEXPIRE', KEYS[1], whole(window))
return redis.call('ZCARD', KEYS[1])
