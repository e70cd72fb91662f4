-- Reads breakers.
-- KEYS: breakers
-- ARGV: recoverAfterMs
-- Returns: for each {state, generation, since, reason, openedAt, ms until the state may change by itself, forced
--          (open | closed), who forced it and why, ms of cooldown that are left}; '' where there is none
--@include breaker.lua

local recover_ms = tonumber(ARGV[1])
local now = now_ms()
local all = {}
for i, key in ipairs(KEYS) do
  local f = redis.call('HMGET', key, 'state', 'generation', 'since', 'reason', 'openedAt', 'until', 'leaseUntil', 'failedAt',
    'forced', 'forcedUntil', 'note', 'cooldownUntil')
  local state = f[1] or 'closed'
  local at = nil
  if state == 'open' then at = f[6] elseif state == 'half_open' then at = f[7]
  elseif state == 'degraded' then at = tonumber(f[8] or '0') + recover_ms end
  local due = ''
  if at then due = whole(math.max(0, tonumber(at) - now)) end
  local forced = tonumber(f[10] or '0') > now and f[9] or ''
  local cooling = ''
  if tonumber(f[12] or '0') > now then cooling = whole(tonumber(f[12]) - now) end
  all[i] = { state, f[2] or '0', f[3] or '', f[4] or '', f[5] or '', due, forced, f[11] or '', cooling }
end
return all
