-- Accepts a turn: record, place in its session and idempotency record appear together or not at all.
-- KEYS: turn, inbox, delayed, idempotency (or turn, where no key is given)
-- ARGV: turn id, session's idempotency use ('1' or ''), fingerprint of the input, delay ms, deadline ms ('' for none),
--       then field/value pairs of the record
-- Returns: {'accepted', turn id, position} | {'duplicate', turn id, position} | {'conflict', turn id}
--@include common.lua

local turn_key, inbox_key, delayed_key, idempotency_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id, uses_key, fingerprint, delay, deadline = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]

-- A resent command after a lost reply finds its own record.
if redis.call('EXISTS', turn_key) == 1 then
  return { 'accepted', id, redis.call('HGET', turn_key, 'position') }
end
if uses_key == '1' then
  local earlier = redis.call('HMGET', idempotency_key, 'turn', 'fingerprint', 'position')
  if earlier[1] then
    if earlier[2] ~= fingerprint then return { 'conflict', earlier[1] } end
    return { 'duplicate', earlier[1], earlier[3] }
  end
end

local now = now_ms()
local position = tostring(redis.call('LLEN', inbox_key))
redis.call('HSET', turn_key, 'id', id, 'state', 'queued', 'epoch', 0, 'position', position,
  'acceptedAt', string.format('%.0f', now), 'dueAt', string.format('%.0f', now + delay),
  'deadlineAt', deadline == '' and '' or string.format('%.0f', now + tonumber(deadline)), unpack(ARGV, 6))
if uses_key == '1' then
  redis.call('HSET', idempotency_key, 'turn', id, 'fingerprint', fingerprint, 'position', position)
end
if delay > 0 then
  redis.call('ZADD', delayed_key, now + delay, id)
else
  redis.call('RPUSH', inbox_key, id)
end
return { 'accepted', id, position }
