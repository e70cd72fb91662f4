-- Claiming the head of a session (J2). `who` is {id of the turn, worker, wakeup, lease, agents, gone}.

-- What is in the way of a claim; or nothing, then the turn's record by name and flat.
local function in_the_way(keys, who, now)
  local following = next_of_session(keys.delayed, keys.inbox, now)
  if following[2] ~= who.id then return { 'next', following[1], following[2] } end

  local record, held = redis.call('HGETALL', keys.turn), {}
  for i = 1, #record, 2 do held[record[i]] = record[i + 1] end
  local state, hold = held.state, tonumber(held.holdUntil) or 0
  if state ~= 'queued' and state ~= 'running' and not (state == 'waiting_approval' and hold <= now) then
    if state == 'waiting_approval' then return { 'parked', state, tostring(hold - now) } end
    if state == 'needs_review' then return { 'parked', state, '' } end
    -- Ended or expired, yet still first in line: out of the way with it.
    redis.call('LPOP', keys.inbox)
    following = next_of_session(keys.delayed, keys.inbox, now)
    return { 'next', following[1], following[2] }
  end
  -- The same wake-up delivered again means that BullMQ saw its worker die.
  if state == 'running' and held.wakeup ~= who.wakeup and held.worker ~= who.gone then
    local left = (tonumber(held.leaseUntil) or 0) - now
    if left > 0 then return { 'busy', tostring(left), held.worker } end
  end
  if who.agents ~= '*' and not string.find(who.agents, ',' .. held.agent .. ',', 1, true) then
    return { 'unserved', held.agent, tostring(now - tonumber(held.dueAt)) }
  end
  return nil, held, record
end

-- Raises the epoch of a turn that nothing is in the way of, and gives all that its worker needs to know.
local function claim(keys, who, held, record, now)
  local lost = held.state == 'running' and held.worker ~= who.worker and held.worker or ''
  local epoch, at = text_of(held.epoch + 1), text_of(now)
  local started = '[{"type":"turn.started","worker":' .. cjson.encode(who.worker) .. ',"epoch":' .. epoch .. '}]'
  local changes = { 'state', 'running', 'epoch', epoch, 'idleClaims', text_of((held.idleClaims or 0) + 1),
    'worker', who.worker, 'wakeup', who.wakeup, 'leaseUntil', text_of(now + who.lease), 'claimedAt', at,
    'startedAt', held.startedAt or at, 'last', emit(keys.events, who.channel, started, held.last) }
  redis.call('HSET', keys.turn, unpack(changes))
  if held.holdUntil then redis.call('HDEL', keys.turn, 'holdUntil') end
  for i = 1, #changes do record[#record + 1] = changes[i] end -- of a field that comes twice the second counts
  -- At its first claim a turn has no step, unless it retries another one.
  local steps = (epoch == '1' and not held.origin) and {} or redis.call('HGETALL', keys.steps)
  return { 'claimed', epoch, record, steps, redis.call('LRANGE', keys.history, 0, -1), at, lost, held.claimedAt or '' }
end
