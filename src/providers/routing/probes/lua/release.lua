-- Gives the lease of a route's probes back. Only its holder is heard.
-- KEYS: lease
-- ARGV: nonce
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
