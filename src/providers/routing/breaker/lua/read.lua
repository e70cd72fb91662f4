-- Reads breakers.
-- KEYS: breakers
-- ARGV: recoverAfterMs
-- Returns: for each {state, generation, since, reason, openedAt, ms until the state may change by itself};
--          '' where there is none
--@include breaker.lua

local recover_ms = tonumber(ARGV[1])
local now = now_ms()
local all = {}
for i, key in ipairs(KEYS) do
  local f = redis.call('HMGET', key, 'state', 'generation', 'since', 'reason', 'openedAt', 'until', 'leaseUntil', 'failedAt')
  local state = f[1] or 'closed'
  local at = nil
  if state == 'open' then at = f[6] elseif state == 'half_open' then at = f[7]
  elseif state == 'degraded' then at = tonumber(f[8] or '0') + recover_ms end
  local due = ''
  if at then due = whole(math.max(0, tonumber(at) - now)) end
  all[i] = { state, f[2] or '0', f[3] or '', f[4] or '', f[5] or '', due }
end
return all
