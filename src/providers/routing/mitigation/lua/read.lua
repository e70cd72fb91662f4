-- Reads all records and all requests.
-- KEYS: records, requests
-- Returns: {now, {subject, record, …}, {alias, request, …}}
--@include ../../breaker/lua/time.lua

return { whole(now_ms()), redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', KEYS[2]) }
