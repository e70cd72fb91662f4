-- Takes a turn that has ended, or never came to be, out of the indexes (B1).
-- KEYS: open, ended, ready, limited tenants, tenant's open, running, limited
-- ARGV: turn id, session, tenant, result ttl ms ('' for a turn that never came to be), tenant's limit of running turns
--       where the turn's place is to be given back as well ('' where it had none)
-- Returns: ids of the turns that may be woken for it
--@include common.lua
--@include places.lua

local open_key, ended_key, ready_key, tenants_key, tenant_key, running_key, limited_key = unpack(KEYS)
local id, session, tenant, ttl, limit = unpack(ARGV)
local now = now_ms()
redis.call('ZREM', open_key, id)
redis.call('ZREM', tenant_key, id)
if redis.call('ZREM', limited_key, id) == 1 and redis.call('EXISTS', limited_key) == 0 then
  redis.call('SREM', tenants_key, tenant)
end
if ttl == '' then return {} end
-- What has run took the mark of its session away when it started; the mark there now is another turn's.
if not redis.call('ZSCORE', running_key, id) then redis.call('ZREM', ready_key, session) end
redis.call('ZADD', ended_key, string.format('%.0f', now), id)
redis.call('ZREMRANGEBYSCORE', ended_key, '-inf', string.format('%.0f', now - tonumber(ttl)))
redis.call('PEXPIRE', ended_key, ttl)
if limit == '' then return {} end
return give_way({ tenants = tenants_key, running = running_key, limited = limited_key }, id, tenant, tonumber(limit))
