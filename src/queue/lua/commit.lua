-- Commits the result of a step (J4, J6).
-- KEYS: turn, steps, events
-- ARGV: epoch, step id, nonce ('' for a model's), result, channel, events
-- Returns: 'ok' | 'fenced'
--@include common.lua
--@include steps.lua

local turn_key, steps_key, events_key = unpack(KEYS)
local epoch, id, nonce, result, channel, events = unpack(ARGV)
local fenced, last = is_fenced(turn_key, epoch)
local held = commit_step({ turn = turn_key, steps = steps_key }, { id = id, nonce = nonce, result = result }, fenced,
  function() return emit(events_key, channel, events, last) end)
return held and 'ok' or 'fenced'
