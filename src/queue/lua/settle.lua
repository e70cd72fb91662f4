-- Says for a worker what became of an unsafe step whose start was lost: its tool has found out by itself (J8).
-- KEYS: turn, steps   ARGV: epoch, step id, decision as JSON
-- Returns: 'ok' | 'fenced'
--@include common.lua

if is_fenced(KEYS[1], ARGV[1]) then return 'fenced' end
redis.call('HSET', KEYS[2], ARGV[2] .. ':review', ARGV[3])
return 'ok'
