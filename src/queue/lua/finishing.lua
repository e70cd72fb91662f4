-- Ends a turn, parks it, or hands it back (J7). `ending` is {id, epoch, state, result, messages, channel, events, result_ttl,
-- event_ttl, session_ttl, hold}; `at` is `now` as text; from argument `holds_from` on stand field/value pairs of what it waits for (J8).
-- Returns: {'ok', what the session wants next} | {'fenced'}

-- J9: what a review would ask may have become known meanwhile.
local function is_answered(steps_key, holds_from)
  for i = holds_from, #ARGV, 2 do
    local header = redis.call('HGET', steps_key, string.sub(ARGV[i], 1, -8))
    local begun = header and cjson.decode(header)
    if begun and begun.state ~= 'started' then return true end
  end
  return false
end

local function write_ending(keys, ending, last, holds_from, now, at)
  local terminal = is_terminal(ending.state)
  last = emit(keys.events, ending.channel, ending.events, last)
  local fields = { 'state', ending.state, 'last', last }
  if terminal then
    fields[5], fields[6] = 'endedAt', at
  else
    fields = { 'state', ending.state, 'last', last, 'leaseUntil', '0', 'wakeup', '', 'idleClaims', '0' }
  end
  if ending.result ~= '' then
    fields[#fields + 1] = 'result'
    fields[#fields + 1] = ending.result
  end
  if ending.hold ~= '' then
    fields[#fields + 1] = 'holdUntil'
    fields[#fields + 1] = text_of(now + tonumber(ending.hold))
  end
  redis.call('HSET', keys.turn, unpack(fields))
  if #ARGV >= holds_from then redis.call('HSET', keys.steps, unpack(ARGV, holds_from)) end
  if not terminal then return end
  if ending.messages ~= '' then redis.call('RPUSH', keys.history, ending.messages) end
  redis.call('PEXPIRE', keys.history, ending.session_ttl)
  close_turn(keys, ending.id, ending.result_ttl)
  redis.call('PEXPIRE', keys.events, ending.event_ttl)
end

local function finish(keys, ending, holds_from, now, at)
  local held = redis.call('HMGET', keys.turn, 'epoch', 'state', 'last')
  -- A resent command after a lost reply finds its own work done.
  local resent = held[1] == ending.epoch and held[2] == ending.state and ending.state ~= 'running'
  if not resent then
    if held[1] ~= ending.epoch or held[2] ~= 'running' then return { 'fenced' } end
    if ending.state == 'needs_review' and is_answered(keys.steps, holds_from) then
      redis.call('HSET', keys.turn, 'state', 'queued', 'leaseUntil', '0', 'wakeup', '', 'idleClaims', '0')
      return { 'ok', 'turn', ending.id }
    end
    write_ending(keys, ending, held[3], holds_from, now, at)
  end
  local following = next_of_session(keys.delayed, keys.inbox, now)
  return { 'ok', following[1], following[2] }
end
