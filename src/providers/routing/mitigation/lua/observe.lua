-- Adds what was seen on the first route of an alias or of a segment of it, and tells what there is.
-- KEYS: records, windows
-- ARGV: subject, window ms, attempts, failures, answers that the model is not found
-- Returns: {now, record (JSON) or '', attempts, failures, not found} within the window
--@include ../../breaker/lua/window.lua

local window = { key = KEYS[2], now = now_ms() }
local window_ms = tonumber(ARGV[2])
local width = window_ms / 10
local record = redis.call('HGET', KEYS[1], ARGV[1]) or ''

-- M2: what is still under way when an alias moves says nothing about its return.
local is_moved = record ~= '' and cjson.decode(record).state == 'moved'
local seen = {}
for i, name in ipairs({ 'attempts', 'failures', 'missing' }) do
  local count = tonumber(ARGV[i + 2])
  if count > 0 and not is_moved then
    add(window, name, width, count)
    redis.call('PEXPIRE', KEYS[2], whole(window_ms * 2))
  end
  seen[i] = sum(window, name, width)
end
return { whole(window.now), record, seen[1], seen[2], seen[3] }
