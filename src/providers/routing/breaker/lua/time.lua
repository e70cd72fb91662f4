-- Time is Redis's own, in milliseconds; it is written with '%.0f', since '%d' is 32 bits wide in Redis-compatible
-- servers on WebAssembly.
local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

local function whole(n)
  return string.format('%.0f', n)
end
