-- Gives the place of a turn among the running ones back, and says which waiting turns of the tenant may be woken (B3).
-- KEYS: limited tenants, tenant's running, limited
-- ARGV: turn id ('' to look only), tenant, tenant's limit of running turns
-- Returns: turn ids
--@include common.lua

local tenants_key, running_key, limited_key = unpack(KEYS)
local id, tenant, limit = ARGV[1], ARGV[2], tonumber(ARGV[3])
if id ~= '' then redis.call('ZREM', running_key, id) end
local free = limit - redis.call('ZCOUNT', running_key, string.format('(%.0f', now_ms()), '+inf')
if free <= 0 then return {} end
local next = redis.call('ZRANGE', limited_key, 0, math.min(free, 100) - 1)
for _, waiting in ipairs(next) do redis.call('ZREM', limited_key, waiting) end
if redis.call('EXISTS', limited_key) == 0 then redis.call('SREM', tenants_key, tenant) end
return next
