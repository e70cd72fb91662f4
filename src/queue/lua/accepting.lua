-- J1: record, place in its session and idempotency record of a turn appear together or not at all. `turn` is {id, uses_key,
-- fingerprint, delay, deadline, field/value pairs of the record from argument `from` on}.
-- Returns: {'accepted', turn id, position, accepted at} | {'duplicate', the same of the earlier one} | {'conflict', turn id}

-- A resent command after a lost reply finds its own record.
local function accepted_before(turn_key, id)
  local earlier = redis.call('HMGET', turn_key, 'position', 'acceptedAt')
  if earlier[1] then return { 'accepted', id, earlier[1], earlier[2] } end
end

-- The turn that an idempotency key stands for.
local function accepted_under_key(idempotency_key, fingerprint)
  local earlier = redis.call('HMGET', idempotency_key, 'turn', 'fingerprint', 'position', 'acceptedAt')
  if not earlier[1] then return end
  if earlier[2] ~= fingerprint then return { 'conflict', earlier[1] } end
  return { 'duplicate', earlier[1], earlier[3], earlier[4] or '' }
end

-- `accepted_at` is now as text. The second value is when the turn is due, as text.
local function accept(keys, turn, from, now, accepted_at)
  local due_at, position = accepted_at
  if turn.delay > 0 then
    position = tostring(redis.call('LLEN', keys.inbox))
    due_at = text_of(now + turn.delay)
    redis.call('ZADD', keys.delayed, due_at, turn.id)
  else
    position = tostring(redis.call('RPUSH', keys.inbox, turn.id) - 1)
  end
  redis.call('HSET', keys.turn, 'id', turn.id, 'state', 'queued', 'epoch', '0', 'position', position,
    'acceptedAt', accepted_at, 'dueAt', due_at, unpack(ARGV, from))
  if turn.deadline ~= '' then
    redis.call('HSET', keys.turn, 'deadlineAt', text_of(now + tonumber(turn.deadline)))
  end
  if turn.uses_key then
    redis.call('HSET', keys.idempotency, 'turn', turn.id, 'fingerprint', turn.fingerprint, 'position', position,
      'acceptedAt', accepted_at)
  end
  return { 'accepted', turn.id, position, accepted_at }, due_at
end
