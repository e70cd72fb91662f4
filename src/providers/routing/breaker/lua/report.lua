-- Counts what happened on a route or with a credential, opens it if a rule is broken, lets it recover if it did well.
-- KEYS: breaker, windows, history
-- ARGV: route, channel, generation of the attempts, successes, failures, failures by rule (JSON: name -> count),
--       whether a call was rerouted away ('1' or ''), jitter, policy (JSON: rules, recoverAfterSuccesses,
--       recoverAfterMs, forgetAfterMs)
-- Returns: the state
--@include breaker.lua
--@include window.lua

local place = { key = KEYS[1], windows = KEYS[2], history = KEYS[3], route = ARGV[1], channel = ARGV[2], now = now_ms() }
local generation, successes, failures = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local by_rule, rerouted, jitter = cjson.decode(ARGV[6]), ARGV[7] == '1', tonumber(ARGV[8])
local policy = cjson.decode(ARGV[9])
local now = place.now
local window = { key = place.windows, now = now }

-- B1, B2, B7: what was begun before the last opening or recovery, beside a probe, or while somebody keeps the breaker
-- closed, counts nowhere.
local breaker = read_breaker(place)
if breaker.state == 'open' or breaker.state == 'half_open' or generation ~= breaker.generation
  or breaker.forced ~= '' then
  return breaker.state
end

local attempts = successes + failures
if attempts > 0 then
  local keep_ms = 0
  for _, rule in ipairs(policy.rules) do
    add(window, rule.name .. ':all', rule.windowMs / 10, attempts)
    keep_ms = math.max(keep_ms, rule.windowMs * 2)
  end
  redis.call('PEXPIRE', place.windows, whole(keep_ms))
end

for _, rule in ipairs(policy.rules) do
  local failed = by_rule[rule.name] or 0
  if failed > 0 then
    local width = rule.windowMs / 10
    add(window, rule.name, width, failed)
    local count, all = sum(window, rule.name, width), sum(window, rule.name .. ':all', width)
    if count > rule.over and all >= rule.min and count >= rule.ratio * all then
      open(place, breaker, rule.name,
        { openMs = rule.openMs, maxMs = rule.maxMs, forgetMs = policy.forgetAfterMs, jitter = jitter })
      return breaker.state
    end
    if rule.warn and breaker.state == 'closed' and all >= rule.min and count >= rule.warn * all then
      change(place, breaker, 'degraded', rule.name)
    end
  end
end

if failures > 0 or rerouted then
  redis.call('HSET', place.key, 'failedAt', whole(now), 'streak', '0')
  if rerouted and breaker.state == 'closed' then change(place, breaker, 'degraded', 'reroute') end
elseif breaker.state == 'degraded' then
  local streak = breaker.streak + successes
  if successes > 0 then redis.call('HSET', place.key, 'streak', whole(streak)) end
  if streak >= policy.recoverAfterSuccesses or now - breaker.failedAt >= policy.recoverAfterMs then
    redis.call('HDEL', place.key, 'streak')
    change(place, breaker, 'closed', 'recovered')
  end
end
return breaker.state
