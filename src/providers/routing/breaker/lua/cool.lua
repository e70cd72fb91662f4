-- Lets a credential rest. A longer rest that it has already stays.
-- KEYS: breaker
-- ARGV: route, channel, cooldown ms
-- Returns: ms of cooldown that are left
--@include breaker.lua

local now = now_ms()
local held = tonumber(redis.call('HGET', KEYS[1], 'cooldownUntil') or '0')
local ends = math.max(held, now + tonumber(ARGV[3]))
if ends > held then
  redis.call('HSET', KEYS[1], 'cooldownUntil', whole(ends))
  redis.call('PUBLISH', ARGV[2], ARGV[1])
end
return whole(ends - now)
