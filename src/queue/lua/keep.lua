-- Keeps the place of a turn that runs (B3).
-- KEYS: tenant's running   ARGV: turn id, lease ms
--@include common.lua

redis.call('ZADD', KEYS[1], 'XX', string.format('%.0f', now_ms() + tonumber(ARGV[2])), ARGV[1])
return 'ok'
