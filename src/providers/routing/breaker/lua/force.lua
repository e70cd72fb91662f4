-- Somebody decides: keeps a breaker open or closed for a time, or sets it back as if nothing had ever happened (B7).
-- KEYS: breaker, windows, history
-- ARGV: route, channel, action (open | close | reset), for ms, note, by, open ms, max ms
-- Returns: the state
--@include breaker.lua

local place = { key = KEYS[1], windows = KEYS[2], history = KEYS[3], route = ARGV[1], channel = ARGV[2], now = now_ms() }
local action, for_ms = ARGV[3], tonumber(ARGV[4])
local audit = { by = ARGV[6], note = ARGV[5], for_ms = ARGV[4] }
local breaker = read_breaker(place)
local generation = whole(breaker.generation + 1)
local ends = whole(place.now + for_ms)

redis.call('DEL', place.windows)
redis.call('HDEL', place.key, 'lease', 'leaseUntil', 'recoveredAt', 'streak', 'forced', 'forcedUntil', 'note')
if action == 'open' then
  redis.call('HSET', place.key, 'generation', generation, 'until', ends, 'openMs', ARGV[7], 'maxMs', ARGV[8],
    'forced', 'open', 'forcedUntil', ends, 'note', audit.by .. ': ' .. audit.note)
  redis.call('HSETNX', place.key, 'openedAt', whole(place.now))
  change(place, breaker, 'open', 'forced_open', audit)
else
  redis.call('HDEL', place.key, 'until', 'openedAt', 'openings', 'cooldownUntil')
  redis.call('HSET', place.key, 'generation', generation)
  if action == 'close' then
    redis.call('HSET', place.key, 'forced', 'closed', 'forcedUntil', ends, 'note', audit.by .. ': ' .. audit.note)
  end
  change(place, breaker, 'closed', action == 'close' and 'forced_closed' or 'reset', audit)
end
return breaker.state
