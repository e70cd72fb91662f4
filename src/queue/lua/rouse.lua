-- What a wake-up of a session needs to know; marks its first turn as able to start (B2, B4).
-- KEYS: ready, limited tenants, tenant's open, running, limited
-- ARGV: turn id, session, ms until it can start, tenant, tenant's limit of running turns
-- Returns: {'go', rank or ''} | {'limited'} when it waits for another turn of its tenant to end
--@include common.lua

local ready_key, tenants_key, open_key, running_key, limited_key = unpack(KEYS)
local id, session, delay, tenant, limit = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5])
local now = now_ms()
if redis.call('ZSCORE', limited_key, id) then
  if redis.call('ZCOUNT', running_key, string.format('(%.0f', now), '+inf') >= limit then return { 'limited' } end
  redis.call('ZREM', limited_key, id)
  if redis.call('EXISTS', limited_key) == 0 then redis.call('SREM', tenants_key, tenant) end
end
redis.call('ZADD', ready_key, 'LT', string.format('%.0f', now + delay), session)
return { 'go', redis.call('ZSCORE', open_key, id) or '' }
