-- What keeps turns out (B1). `at` is `now` as text.

-- {'unserved', agent} where workers run and none has the agent.
local function unserved(keys, agent, now, at)
  local until_ms = redis.call('ZSCORE', keys.agents, agent)
  if until_ms and tonumber(until_ms) > now then return end
  if redis.call('ZCOUNT', keys.workers, '(' .. at, '+inf') > 0 then return { 'unserved', agent } end
end

-- {'late', age ms} where the oldest turn that could start has waited for too long.
local function late(keys, max_age, now)
  if redis.call('ZCOUNT', keys.ready, '-inf', '(' .. text_of(now - max_age)) == 0 then return end
  local oldest = redis.call('ZRANGE', keys.ready, 0, 0, 'WITHSCORES')
  return { 'late', text_of(now - tonumber(oldest[2])) }
end

-- How many turns of a tenant wait.
local function waiting(open_key, running_key, at)
  return math.max(0, redis.call('ZCARD', open_key) - redis.call('ZCOUNT', running_key, '(' .. at, '+inf'))
end
