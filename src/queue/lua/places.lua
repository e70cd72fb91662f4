-- Places of turns among the running ones of their tenant (B3). `keys` are {ready, limited tenants as `tenants`, tenant's
-- open, running and limited}.

-- A turn no longer waits for another one of its tenant. Most tenants have none that do.
local function leave_limited(keys, id, tenant)
  if redis.call('EXISTS', keys.limited) == 0 then return end
  if redis.call('ZREM', keys.limited, id) == 1 and redis.call('EXISTS', keys.limited) == 0 then
    redis.call('SREM', keys.tenants, tenant)
  end
end

-- Whether a turn has got a place; without one it waits. Its session is ready no more.
local function take_place(keys, turn, lease, limit, now)
  redis.call('ZREM', keys.ready, turn.session)
  local is_new = redis.call('ZADD', keys.running, text_of(now + lease), turn.id) == 1
  if is_new and redis.call('ZCARD', keys.running) > limit then
    redis.call('ZREMRANGEBYSCORE', keys.running, '-inf', text_of(now)) -- places of the dead
    if redis.call('ZCARD', keys.running) > limit then
      redis.call('ZREM', keys.running, turn.id)
      redis.call('ZADD', keys.limited, redis.call('ZSCORE', keys.open, turn.id) or '0', turn.id)
      redis.call('SADD', keys.tenants, turn.tenant)
      return false
    end
  end
  leave_limited(keys, turn.id, turn.tenant)
  return true
end

-- Gives a place back ('' to look only), and takes those out of the waiting ones that may be woken for it.
local function give_way(keys, id, tenant, limit, now)
  if id ~= '' then redis.call('ZREM', keys.running, id) end
  if redis.call('EXISTS', keys.limited) == 0 then return {} end
  local free = limit - redis.call('ZCOUNT', keys.running, '(' .. text_of(now), '+inf')
  if free <= 0 then return {} end
  local next = redis.call('ZRANGE', keys.limited, 0, math.min(free, 100) - 1)
  for _, waiting in ipairs(next) do leave_limited(keys, waiting, tenant) end
  return next
end
