-- Hands deltas on to the readers of a turn.
-- KEYS: turn, events   ARGV: epoch, channel, events, token of this write
-- Returns: 'ok' | 'fenced'
--@include common.lua

local held = redis.call('HMGET', KEYS[1], 'epoch', 'state', 'relayed')
if held[1] ~= ARGV[1] or held[2] ~= 'running' then return 'fenced' end -- J3
-- A resent command after a lost reply finds its own token: readers get each delta once.
if held[3] == ARGV[4] then return 'ok' end
redis.call('HSET', KEYS[1], 'relayed', ARGV[4])
emit(KEYS[2], ARGV[2], ARGV[3])
return 'ok'
