-- Forgets a request, unless another one has taken its place.
-- KEYS: requests
-- ARGV: alias, request
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then redis.call('HDEL', KEYS[1], ARGV[1]) end
