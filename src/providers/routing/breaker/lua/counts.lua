-- Reads what the whole fleet has seen lately.
-- KEYS: windows
-- ARGV: rule, width of a bucket in ms
-- Returns: for each {failures, attempts} within the window of the rule
--@include breaker.lua
--@include windows.lua

local rule, width = ARGV[1], tonumber(ARGV[2])
local now = now_ms()
local all = {}
for i, key in ipairs(KEYS) do
  all[i] = { sum_of_window(key, rule, width, now), sum_of_window(key, rule .. ':all', width, now) }
end
return all
