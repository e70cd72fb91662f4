-- Places of turns among the running ones of their tenant (B3). `keys` are {ready, limited tenants as `tenants`, tenant's
-- open, running and limited}; `at` is now as text.

-- Whether turns of the tenant wait; asked once a script, since what it does itself only takes them away.
local function anyone_waits(keys)
  if keys.waits == nil then keys.waits = redis.call('EXISTS', keys.limited) == 1 end
  return keys.waits
end

-- A turn no longer waits for another one of its tenant. Most tenants have none that do.
local function leave_limited(keys, id, tenant)
  if not anyone_waits(keys) then return end
  if redis.call('ZREM', keys.limited, id) == 1 and redis.call('EXISTS', keys.limited) == 0 then
    redis.call('SREM', keys.tenants, tenant)
  end
end

-- Whether a turn has got a place; without one it waits. Its session is ready no more.
local function take_place(keys, turn, lease_until, limit, at)
  redis.call('ZREM', keys.ready, turn.session)
  local is_new = redis.call('ZADD', keys.running, lease_until, turn.id) == 1
  if is_new and redis.call('ZCARD', keys.running) > limit then
    redis.call('ZREMRANGEBYSCORE', keys.running, '-inf', at) -- places of the dead
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
local function give_way(keys, id, tenant, limit, at)
  if id ~= '' then redis.call('ZREM', keys.running, id) end
  if not anyone_waits(keys) then return {} end
  local free = limit - redis.call('ZCOUNT', keys.running, '(' .. at, '+inf')
  if free <= 0 then return {} end
  local next = redis.call('ZRANGE', keys.limited, 0, math.min(free, 100) - 1)
  for _, waiting in ipairs(next) do leave_limited(keys, waiting, tenant) end
  return next
end
