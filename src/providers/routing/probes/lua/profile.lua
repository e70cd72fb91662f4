-- Shared by the scripts of route profiles. Time is Redis's own, in milliseconds.
local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

local function whole(n)
  return string.format('%.0f', n)
end

-- A fact is one field of the profile's hash, with its own end; the hash lives as long as its last fact.
-- `fact`: {cell, verdict, source, code, forMs}
local function write_fact(key, fact)
  local now = now_ms()
  local value = table.concat({ fact.verdict, fact.source, whole(now), whole(now + fact.forMs), fact.code }, '|')
  redis.call('HSET', key, fact.cell, value)
  if redis.call('PTTL', key) < fact.forMs then redis.call('PEXPIRE', key, whole(fact.forMs)) end
end
