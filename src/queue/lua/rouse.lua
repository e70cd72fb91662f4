-- What a wake-up of a session needs to know; marks its first turn as able to start (B2, B4).
-- KEYS: ready, limited tenants, tenant's open, running, limited
-- ARGV: turn id, session, ms until it can start, tenant, tenant's limit of running turns
-- Returns: {'go', rank or ''} | {'limited'} when it waits for another turn of its tenant to end
--@include common.lua
--@include places.lua

local keys = { ready = KEYS[1], tenants = KEYS[2], open = KEYS[3], running = KEYS[4], limited = KEYS[5] }
local id, session, delay, tenant, limit = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5])
local now = now_ms()
if redis.call('ZSCORE', keys.limited, id) then
  if redis.call('ZCOUNT', keys.running, '(' .. text_of(now), '+inf') >= limit then return { 'limited' } end
  leave_limited(keys, id, tenant)
end
redis.call('ZADD', keys.ready, 'LT', text_of(now + delay), session)
return { 'go', redis.call('ZSCORE', keys.open, id) or '' }
