-- Prolongs the lease of a running turn.
-- KEYS: turn   ARGV: epoch, lease ms
-- Returns: {'ok'} | {'fenced'} | {'cancel', reason} when somebody has asked for it
--@include common.lua

if is_fenced(KEYS[1], ARGV[1]) then return { 'fenced' } end
redis.call('HSET', KEYS[1], 'leaseUntil', string.format('%.0f', now_ms() + tonumber(ARGV[2])))
local reason = redis.call('HGET', KEYS[1], 'cancel')
if reason then return { 'cancel', reason } end
return { 'ok' }
