-- Claiming the head of a session (J2). `who` is {id of the turn, worker, wakeup, lease, agents, gone}.

-- What of a turn's record its worker is given, in the order of CLAIMED_FIELDS in records.ts; then, in the same reply, what
-- says who holds the turn.
local FIELDS = { 'agent', 'input', 'options', 'carrier', 'position', 'acceptedAt', 'dueAt', 'deadlineAt', 'idempotencyKey',
  'retryOf', 'origin', 'relayed', 'startedAt', 'cancel',
  'state', 'holdUntil', 'wakeup', 'worker', 'leaseUntil', 'epoch', 'idleClaims', 'claimedAt', 'last' }
local HELD_FROM = 15

-- What is in the way of a claim; or nothing, then these fields.
local function in_the_way(keys, who, now)
  local following = next_of_session(keys.delayed, keys.inbox, now)
  if following[2] ~= who.id then return { 'next', following[1], following[2] } end

  local fields = redis.call('HMGET', keys.turn, unpack(FIELDS))
  local state, hold, wakeup, worker, lease = unpack(fields, HELD_FROM)
  hold = tonumber(hold) or 0
  if state ~= 'queued' and state ~= 'running' and not (state == 'waiting_approval' and hold <= now) then
    if state == 'waiting_approval' then return { 'parked', state, tostring(hold - now) } end
    if state == 'needs_review' then return { 'parked', state, '' } end
    -- Ended or expired, yet still first in line: out of the way with it.
    redis.call('LPOP', keys.inbox)
    following = next_of_session(keys.delayed, keys.inbox, now)
    return { 'next', following[1], following[2] }
  end
  -- The same wake-up delivered again means that BullMQ saw its worker die.
  if state == 'running' and wakeup ~= who.wakeup and worker ~= who.gone then
    local left = (tonumber(lease) or 0) - now
    if left > 0 then return { 'busy', tostring(left), worker } end
  end
  local agent, due = fields[1], fields[7]
  if who.agents ~= '*' and not string.find(who.agents, ',' .. agent .. ',', 1, true) then
    return { 'unserved', agent, tostring(now - tonumber(due)) }
  end
  return nil, fields
end

-- Raises the epoch of a turn that nothing is in the way of, and gives all that its worker needs to know. `at` is now,
-- `lease_until` the end of its lease, both as text.
local function claim(keys, who, fields, at, lease_until)
  local state, hold, _, worker, _, epoch, idle, claimed_at, last = unpack(fields, HELD_FROM)
  local lost = state == 'running' and worker ~= who.worker and worker or ''
  epoch, idle = tostring(epoch + 1), tostring((idle or 0) + 1)
  local started = '[{"type":"turn.started","worker":' .. cjson.encode(who.worker) .. ',"epoch":' .. epoch .. '}]'
  redis.call('HSET', keys.turn, 'state', 'running', 'epoch', epoch, 'idleClaims', idle, 'worker', who.worker,
    'wakeup', who.wakeup, 'leaseUntil', lease_until, 'claimedAt', at, 'startedAt', fields[13] or at,
    'last', emit(keys.events, who.channel, started, last))
  if hold then redis.call('HDEL', keys.turn, 'holdUntil') end
  -- At its first claim a turn has no step, unless it retries another one.
  local steps = (epoch == '1' and not fields[11]) and {} or redis.call('HGETALL', keys.steps)
  return { 'claimed', epoch, fields, steps, redis.call('LRANGE', keys.history, 0, -1), at, lost, claimed_at or '', idle }
end
