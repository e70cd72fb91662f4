-- Keeps a worker and its agents known for a while, and forgets those that have fallen silent.
-- KEYS: workers, agents   ARGV: worker, ttl ms ('0' to leave), agent names
-- Returns: every worker, each followed by the time until which it is believed alive
--@include common.lua

local now = now_ms()
local ttl = tonumber(ARGV[2])
if ttl == 0 then
  redis.call('ZREM', KEYS[1], ARGV[1])
else
  redis.call('ZADD', KEYS[1], now + ttl, ARGV[1])
  for i = 3, #ARGV do redis.call('ZADD', KEYS[2], 'GT', now + ttl, ARGV[i]) end
end
for _, key in ipairs(KEYS) do
  if ttl > 0 then redis.call('PEXPIRE', key, 2 * ttl) end
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
return redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
