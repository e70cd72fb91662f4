-- Takes a place among the running turns of a tenant (B3).
-- KEYS: ready, limited tenants, tenant's open, running, limited
-- ARGV: turn id, session, lease ms, tenant, tenant's limit of running turns
-- Returns: 'go' | 'limited'
--@include common.lua

local ready_key, tenants_key, open_key, running_key, limited_key = unpack(KEYS)
local id, session, lease, tenant, limit = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5])
local now = now_ms()
redis.call('ZREM', ready_key, session)
redis.call('ZREMRANGEBYSCORE', running_key, '-inf', now)
if not redis.call('ZSCORE', running_key, id) and redis.call('ZCARD', running_key) >= limit then
  redis.call('ZADD', limited_key, redis.call('ZSCORE', open_key, id) or 0, id)
  redis.call('SADD', tenants_key, tenant)
  return 'limited'
end
redis.call('ZREM', limited_key, id)
redis.call('ZADD', running_key, string.format('%.0f', now + lease), id)
return 'go'
