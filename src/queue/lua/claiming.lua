-- Claiming the head of a session (J2). `who` is {id of the turn, worker, wakeup, lease, agents, gone}.

-- What of a turn's record its worker is given, in the order of CLAIMED_FIELDS in records.ts.
local GIVEN = { 'agent', 'input', 'options', 'carrier', 'position', 'acceptedAt', 'dueAt', 'deadlineAt', 'idempotencyKey',
  'retryOf', 'origin', 'relayed', 'startedAt', 'cancel' }

-- What is in the way of a claim; or nothing, then what is known of who holds the turn, and what its worker is given.
local function in_the_way(keys, who, now)
  local following = next_of_session(keys.delayed, keys.inbox, now)
  if following[2] ~= who.id then return { 'next', following[1], following[2] } end

  local held = redis.call('HMGET', keys.turn, 'state', 'holdUntil', 'wakeup', 'worker', 'leaseUntil', 'epoch',
    'idleClaims', 'claimedAt', 'last')
  local state, hold = held[1], tonumber(held[2]) or 0
  if state ~= 'queued' and state ~= 'running' and not (state == 'waiting_approval' and hold <= now) then
    if state == 'waiting_approval' then return { 'parked', state, tostring(hold - now) } end
    if state == 'needs_review' then return { 'parked', state, '' } end
    -- Ended or expired, yet still first in line: out of the way with it.
    redis.call('LPOP', keys.inbox)
    following = next_of_session(keys.delayed, keys.inbox, now)
    return { 'next', following[1], following[2] }
  end
  -- The same wake-up delivered again means that BullMQ saw its worker die.
  if state == 'running' and held[3] ~= who.wakeup and held[4] ~= who.gone then
    local left = (tonumber(held[5]) or 0) - now
    if left > 0 then return { 'busy', tostring(left), held[4] } end
  end
  local given = redis.call('HMGET', keys.turn, unpack(GIVEN))
  local agent, due = given[1], given[7]
  if who.agents ~= '*' and not string.find(who.agents, ',' .. agent .. ',', 1, true) then
    return { 'unserved', agent, tostring(now - tonumber(due)) }
  end
  return nil, held, given
end

-- Raises the epoch of a turn that nothing is in the way of, and gives all that its worker needs to know.
local function claim(keys, who, held, given, now)
  local lost = held[1] == 'running' and held[4] ~= who.worker and held[4] or ''
  local epoch, at, idle = tostring(held[6] + 1), text_of(now), tostring((held[7] or 0) + 1)
  local started = '[{"type":"turn.started","worker":' .. cjson.encode(who.worker) .. ',"epoch":' .. epoch .. '}]'
  redis.call('HSET', keys.turn, 'state', 'running', 'epoch', epoch, 'idleClaims', idle, 'worker', who.worker,
    'wakeup', who.wakeup, 'leaseUntil', text_of(now + who.lease), 'claimedAt', at, 'startedAt', given[13] or at,
    'last', emit(keys.events, who.channel, started, held[9]))
  if held[2] then redis.call('HDEL', keys.turn, 'holdUntil') end
  -- At its first claim a turn has no step, unless it retries another one.
  local steps = (epoch == '1' and not given[11]) and {} or redis.call('HGETALL', keys.steps)
  return { 'claimed', epoch, given, steps, redis.call('LRANGE', keys.history, 0, -1), at, lost, held[8] or '', idle }
end
