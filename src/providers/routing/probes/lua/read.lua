-- Reads profiles: the facts that still hold.
-- KEYS: profiles
-- Returns: for each profile a list of cell, verdict, source, at, ms that it holds yet, code
--@include profile.lua

local now = now_ms()
local rows = {}
for i, key in ipairs(KEYS) do
  local fields = redis.call('HGETALL', key)
  local row = {}
  for f = 1, #fields, 2 do
    local verdict, source, at, till, code = string.match(fields[f + 1], '^(%a+)|(%a+)|(%d+)|(%d+)|(.*)$')
    local left = tonumber(till or '0') - now
    if left > 0 then
      for _, word in ipairs({ fields[f], verdict, source, at, whole(left), code }) do row[#row + 1] = word end
    end
  end
  rows[i] = row
end
return rows
