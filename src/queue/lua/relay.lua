-- Hands deltas on to the readers of a turn.
-- KEYS: turn, events   ARGV: epoch, channel, events
-- Returns: 'ok' | 'fenced'
--@include common.lua

if is_fenced(KEYS[1], ARGV[1]) then return 'fenced' end
emit(KEYS[2], ARGV[2], ARGV[3])
return 'ok'
