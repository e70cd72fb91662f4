-- Hands deltas on to the readers of a turn.
-- KEYS: turn, events   ARGV: epoch, channel, events, token of this write
-- Returns: 'ok' | 'fenced'
--@include common.lua

if is_fenced(KEYS[1], ARGV[1]) then return 'fenced' end
-- A resent command after a lost reply finds its own token: readers get each delta once.
if redis.call('HGET', KEYS[1], 'relayed') == ARGV[4] then return 'ok' end
redis.call('HSET', KEYS[1], 'relayed', ARGV[4])
emit(KEYS[2], ARGV[2], ARGV[3])
return 'ok'
