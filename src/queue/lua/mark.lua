-- Marks sessions as able to start (B2); an earlier mark stays.
-- KEYS: ready   ARGV: pairs of session and ms until it can start
--@include common.lua

local now = now_ms()
for i = 1, #ARGV, 2 do
  redis.call('ZADD', KEYS[1], 'LT', string.format('%.0f', now + tonumber(ARGV[i + 1])), ARGV[i])
end
return 'ok'
