-- Gives the place of a turn among the running ones of its tenant back, and takes those out of the waiting ones that may
-- be woken for it (B3).
local function give_way(keys, id, tenant, limit)
  if id ~= '' then redis.call('ZREM', keys.running, id) end
  local free = limit - redis.call('ZCOUNT', keys.running, string.format('(%.0f', now_ms()), '+inf')
  if free <= 0 then return {} end
  local next = redis.call('ZRANGE', keys.limited, 0, math.min(free, 100) - 1)
  for _, waiting in ipairs(next) do redis.call('ZREM', keys.limited, waiting) end
  if redis.call('EXISTS', keys.limited) == 0 then redis.call('SREM', keys.tenants, tenant) end
  return next
end
