-- Reads what the whole fleet has seen lately.
-- KEYS: windows
-- ARGV: rule, width of a bucket in ms
-- Returns: for each {failures, attempts} within the window of the rule
--@include window.lua

local rule, width = ARGV[1], tonumber(ARGV[2])
local now = now_ms()
local all = {}
for i, key in ipairs(KEYS) do
  local window = { key = key, now = now }
  all[i] = { sum(window, rule, width), sum(window, rule .. ':all', width) }
end
return all
