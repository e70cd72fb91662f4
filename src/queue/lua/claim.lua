-- Claims the head of a session for a worker and raises its epoch (J2).
-- KEYS: turn (the expected head), steps, events, inbox, delayed, history
-- ARGV: turn id, worker, wake-up id, lease ms, channel, agents that the worker has (',a,b,' or '*'), worker that is
--       known to have died ('' for none): its lease counts no longer
-- Returns: {'claimed', epoch, record, steps, history, now, worker that was lost with the turn ('' for none), when that
--          one claimed it} | {'next', kind, value} when another turn is the head,
--          or none is | {'busy', ms, its worker} while one holds it | {'parked', state, ms until an
--          approval expires, if any}
--          | {'unserved', agent, ms since it was due} when the worker lacks the agent
--@include common.lua

local turn_key, steps_key, events_key, inbox_key, delayed_key, history_key = unpack(KEYS)
local id, worker, wakeup, lease, channel, agents = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[6]
local now = now_ms()

promote_due(delayed_key, inbox_key, now)
local head = redis.call('LINDEX', inbox_key, 0)
if head ~= id then
  local following = next_of_session(delayed_key, inbox_key, now)
  return { 'next', following[1], following[2] }
end

local held = redis.call('HMGET', turn_key, 'state', 'leaseUntil', 'wakeup', 'agent', 'dueAt', 'holdUntil',
  'worker', 'claimedAt')
local state = held[1]
local hold_is_over = state == 'waiting_approval' and tonumber(held[6] or '0') <= now
if state ~= 'queued' and state ~= 'running' and not hold_is_over then
  if state == 'waiting_approval' then return { 'parked', state, tostring(tonumber(held[6]) - now) } end
  if state == 'needs_review' then return { 'parked', state, '' } end
  -- Ended or expired, yet still first in line: out of the way with it.
  redis.call('LPOP', inbox_key)
  local following = next_of_session(delayed_key, inbox_key, now)
  return { 'next', following[1], following[2] }
end
-- The same wake-up delivered again means that BullMQ saw its worker die.
if state == 'running' and held[3] ~= wakeup and held[7] ~= ARGV[7] then
  local left = tonumber(held[2] or '0') - now
  if left > 0 then return { 'busy', tostring(left), held[7] } end
end
if agents ~= '*' and not string.find(agents, ',' .. held[4] .. ',', 1, true) then
  return { 'unserved', held[4], tostring(now - tonumber(held[5])) }
end

local lost = state == 'running' and held[7] ~= worker and held[7] or ''
local epoch = redis.call('HINCRBY', turn_key, 'epoch', 1)
redis.call('HINCRBY', turn_key, 'idleClaims', 1)
redis.call('HSET', turn_key, 'state', 'running', 'worker', worker, 'wakeup', wakeup,
  'leaseUntil', string.format('%.0f', now + lease), 'claimedAt', string.format('%.0f', now))
redis.call('HDEL', turn_key, 'holdUntil')
redis.call('HSETNX', turn_key, 'startedAt', string.format('%.0f', now))
emit(events_key, channel, cjson.encode({ { type = 'turn.started', worker = worker, epoch = epoch } }))
return { 'claimed', tostring(epoch), redis.call('HGETALL', turn_key), redis.call('HGETALL', steps_key),
  redis.call('LRANGE', history_key, 0, -1), string.format('%.0f', now), lost, held[8] or '' }
