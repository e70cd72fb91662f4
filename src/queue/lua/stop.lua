-- Gives the place of a turn among the running ones back, and says which waiting turns of the tenant may be woken (B3).
-- KEYS: limited tenants, tenant's running, limited
-- ARGV: turn id ('' to look only), tenant, tenant's limit of running turns
-- Returns: turn ids
--@include common.lua
--@include places.lua

local keys = { tenants = KEYS[1], running = KEYS[2], limited = KEYS[3] }
local _, at = now_ms()
return give_way(keys, ARGV[1], ARGV[2], tonumber(ARGV[3]), at)
