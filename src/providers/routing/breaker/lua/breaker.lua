-- Shared by the scripts of the breaker.
--@include time.lua

-- The breaker of a route or credential; without a record it is closed.
-- `place`: {key, windows, history, channel, route, now}
local function read_breaker(place)
  local f = redis.call('HMGET', place.key, 'state', 'generation', 'openings', 'openMs', 'maxMs', 'recoveredAt',
    'failedAt', 'streak', 'until', 'lease', 'leaseUntil', 'forced', 'forcedUntil')
  return {
    state = f[1] or 'closed', generation = tonumber(f[2] or '0'), openings = tonumber(f[3] or '0'),
    openMs = tonumber(f[4] or '0'), maxMs = tonumber(f[5] or '0'), recoveredAt = tonumber(f[6] or '0'),
    failedAt = tonumber(f[7] or '0'), streak = tonumber(f[8] or '0'), openUntil = tonumber(f[9] or '0'),
    lease = f[10] or '', leaseUntil = tonumber(f[11] or '0'),
    forced = tonumber(f[13] or '0') > place.now and f[12] or '',
  }
end

-- B6: the change, its entry in the history and its announcement are one. `audit`: {by, note, for_ms} of a person.
local function change(place, breaker, to, reason, audit)
  redis.call('HSET', place.key, 'state', to, 'since', whole(place.now), 'reason', reason)
  redis.call('XADD', place.history, 'MAXLEN', '~', '1000', '*',
    'route', place.route, 'from', breaker.state, 'to', to, 'reason', reason,
    'by', audit and audit.by or '', 'note', audit and audit.note or '', 'forMs', audit and audit.for_ms or '')
  redis.call('PUBLISH', place.channel, place.route)
  breaker.state = to
end

-- Opens for min(max, open * 2^(n-1)) * jitter, and begins a new generation with empty windows.
local function open(place, breaker, reason, times)
  local openings = breaker.openings
  if breaker.recoveredAt > 0 and place.now - breaker.recoveredAt >= times.forgetMs then openings = 0 end
  local for_ms = math.min(times.maxMs, times.openMs * 2 ^ openings) * times.jitter
  redis.call('HSET', place.key, 'openings', whole(openings + 1), 'until', whole(place.now + for_ms),
    'openMs', whole(times.openMs), 'maxMs', whole(times.maxMs), 'generation', whole(breaker.generation + 1))
  redis.call('HSETNX', place.key, 'openedAt', whole(place.now))
  redis.call('HDEL', place.key, 'lease', 'leaseUntil', 'recoveredAt', 'streak', 'forced', 'forcedUntil', 'note')
  redis.call('DEL', place.windows)
  change(place, breaker, 'open', reason)
end
