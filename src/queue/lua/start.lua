-- Takes a place among the running turns of a tenant (B3).
-- KEYS: ready, limited tenants, tenant's open, running, limited
-- ARGV: turn id, session, lease ms, tenant, tenant's limit of running turns
-- Returns: 'go' | 'limited'
--@include common.lua
--@include places.lua

local keys = { ready = KEYS[1], tenants = KEYS[2], open = KEYS[3], running = KEYS[4], limited = KEYS[5] }
local turn = { id = ARGV[1], session = ARGV[2], tenant = ARGV[4] }
local now, at = now_ms()
return take_place(keys, turn, text_of(now + tonumber(ARGV[3])), tonumber(ARGV[5]), at) and 'go' or 'limited'
