-- Shared by all scripts of the journal. Time is Redis's own, in milliseconds: a number, then the same as text, which is put
-- together from Redis's own since making text of a number costs as much as a command.
local function now_ms()
  local t = redis.call('TIME')
  local text = t[1] .. string.sub('00000' .. t[2], -6, -4)
  return tonumber(text), text
end

-- As text, since a number that a script hands to Redis is written with 17 digits; not by '%d', which is 32 bits wide in
-- Redis-compatible servers on WebAssembly.
local function text_of(ms)
  return string.format('%.0f', ms)
end

-- A message of more bytes than this only says that there is something to read: Lua goes over each byte of each string that
-- is made (1.5 µs a KB), and a cluster sends messages to all its servers. What a tick brings is shorter, an end often not.
local LONGEST_MESSAGE = 2048

-- Appends a JSON array of events as one stream entry and announces it: who has read the entry before it, `last`, needs
-- to read nothing. The entry's id is the events' time. Returns the id; the caller writes it to the turn's field `last`.
local function emit(events_key, channel, events, last)
  if events == '' then return last or '' end
  local id = redis.call('XADD', events_key, '*', 'e', events)
  local message = #events > LONGEST_MESSAGE and '' or (last or '') .. ' ' .. id .. ' ' .. events
  redis.call('PUBLISH', channel, message)
  return id
end

-- J3: a write counts only while the writer holds the turn. The second value is the turn's last event.
local function is_fenced(turn_key, epoch)
  local held = redis.call('HMGET', turn_key, 'epoch', 'state', 'last')
  return held[1] ~= epoch or held[2] ~= 'running', held[3]
end

-- What the session wants next: the turn at the head of its inbox, or the time in ms until one is due, or nothing. Turns
-- whose time has come move from `delayed` to the end of the inbox before, in order of their due time.
local function next_of_session(delayed_key, inbox_key, now)
  local first = redis.call('ZRANGE', delayed_key, 0, 0, 'WITHSCORES')
  if first[1] and tonumber(first[2]) <= now then
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', delayed_key, '-inf', text_of(now), 'LIMIT', 0, 100)) do
      redis.call('RPUSH', inbox_key, id)
      redis.call('ZREM', delayed_key, id)
    end
    first = redis.call('ZRANGE', delayed_key, 0, 0, 'WITHSCORES')
  end
  local head = redis.call('LINDEX', inbox_key, 0)
  if head then return { 'turn', head } end
  if first[1] then return { 'due', tostring(math.max(0, tonumber(first[2]) - now)) } end
  return { 'nothing', '' }
end

-- J9: a fact about an unsafe step ends the review that asks for it; after the last one the turn goes on.
local function settle_review(turn_key, steps_key, step, nonce, state)
  local text = redis.call('HGET', steps_key, step .. ':review')
  local review = text and cjson.decode(text)
  if not review or review.state ~= 'pending' or review.nonce ~= nonce then return end
  review.state, review.by, review.at = state, 'worker', now_ms()
  redis.call('HSET', steps_key, step .. ':review', cjson.encode(review))
  if redis.call('HGET', turn_key, 'state') ~= 'needs_review' then return end
  local steps = redis.call('HGETALL', steps_key)
  for i = 1, #steps, 2 do
    if string.sub(steps[i], -7) == ':review' and cjson.decode(steps[i + 1]).state == 'pending' then return end
  end
  redis.call('HSET', turn_key, 'state', 'queued')
  redis.call('HDEL', turn_key, 'holdUntil', 'result')
end

local function is_terminal(state)
  return state == 'completed' or state == 'failed' or state == 'cancelled'
end

-- Takes a turn that has ended out of its session, and lets it expire.
local function close_turn(keys, id, result_ttl)
  local first = redis.call('LPOP', keys.inbox) -- as a rule the turn itself
  if first and first ~= id then
    redis.call('LPUSH', keys.inbox, first)
    redis.call('LREM', keys.inbox, 1, id)
  end
  redis.call('PEXPIRE', keys.turn, result_ttl)
  redis.call('PEXPIRE', keys.steps, result_ttl)
  if keys.idempotency ~= keys.turn then redis.call('PEXPIRE', keys.idempotency, result_ttl) end
end
