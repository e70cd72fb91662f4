-- Ends a probe. Only the holder of the lease is heard (B4).
-- KEYS: breaker, windows, history
-- ARGV: route, channel, nonce, verdict (ok | failed | released), jitter, forgetAfterMs
-- Returns: the state
--@include breaker.lua

local place = { key = KEYS[1], windows = KEYS[2], history = KEYS[3], route = ARGV[1], channel = ARGV[2], now = now_ms() }
local nonce, verdict, jitter, forget_ms = ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local breaker = read_breaker(place)
if breaker.state ~= 'half_open' or breaker.lease ~= nonce then return breaker.state end

if verdict == 'ok' then
  redis.call('HSET', place.key, 'generation', whole(breaker.generation + 1), 'recoveredAt', whole(place.now),
    'failedAt', whole(place.now), 'streak', '0')
  redis.call('HDEL', place.key, 'lease', 'leaseUntil', 'until', 'openedAt')
  redis.call('DEL', place.windows)
  change(place, breaker, 'degraded', 'probe_ok')
elseif verdict == 'failed' then
  open(place, breaker, 'probe_failed',
    { openMs = breaker.openMs, maxMs = breaker.maxMs, forgetMs = forget_ms, jitter = jitter })
else
  redis.call('HDEL', place.key, 'lease', 'leaseUntil')
  redis.call('HSET', place.key, 'until', whole(place.now))
  change(place, breaker, 'open', 'probe_released')
end
return breaker.state
