-- Takes the lease of a probe: one a time across the fleet (B3).
-- KEYS: breaker, windows, history
-- ARGV: route, channel, nonce, lease ms
-- Returns: 1 if the lease is taken, else 0
--@include breaker.lua

local place = { key = KEYS[1], windows = KEYS[2], history = KEYS[3], route = ARGV[1], channel = ARGV[2], now = now_ms() }
local breaker = read_breaker(place)
local due = (breaker.state == 'open' and place.now >= breaker.openUntil)
  or (breaker.state == 'half_open' and place.now >= breaker.leaseUntil)
if not due then return 0 end

redis.call('HDEL', place.key, 'forced', 'forcedUntil', 'note')
redis.call('HSET', place.key, 'lease', ARGV[3], 'leaseUntil', whole(place.now + tonumber(ARGV[4])))
if breaker.state == 'open' then change(place, breaker, 'half_open', 'probe_due') end
return 1
