-- How many sessions could start now, and for how long the first of them could (B2).
-- KEYS: ready, limited tenants
-- Returns: {sessions, age ms, tenants of which turns wait for others to end}
--@include common.lua

local now = now_ms()
local ready = redis.call('ZCOUNT', KEYS[1], '-inf', string.format('%.0f', now))
local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
local age = string.format('%.0f', math.max(0, now - tonumber(oldest[2] or now)))
return { tostring(ready), age, redis.call('SMEMBERS', KEYS[2]) }
