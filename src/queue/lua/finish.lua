-- Ends a turn, parks it, or hands it back; says what its session wants next.
-- KEYS: turn, steps, events, inbox, delayed, history, idempotency (or turn, where there is no key)
-- ARGV: epoch, turn id, new state, result, messages for the session ('' for none), channel, events,
--       result ttl ms, event ttl ms, session ttl ms
-- Returns: {'ok', kind, value} | {'fenced'}
--@include common.lua

local turn_key, steps_key, events_key, inbox_key, delayed_key, history_key, idempotency_key = unpack(KEYS)
local epoch, id, state, result, messages, channel, events = unpack(ARGV, 1, 7)
local result_ttl, event_ttl, session_ttl = ARGV[8], ARGV[9], ARGV[10]
local now = now_ms()
local held = redis.call('HMGET', turn_key, 'epoch', 'state')
-- A resent command after a lost reply finds its own work done.
local resent = held[1] == epoch and held[2] == state and state ~= 'running'
if not resent then
  if is_fenced(turn_key, epoch) then return { 'fenced' } end
  redis.call('HSET', turn_key, 'state', state, 'leaseUntil', '0', 'wakeup', '')
  if result ~= '' then redis.call('HSET', turn_key, 'result', result) end
  local terminal = state == 'completed' or state == 'failed' or state == 'cancelled'
  if terminal then
    redis.call('HSET', turn_key, 'endedAt', string.format('%.0f', now))
    redis.call('LREM', inbox_key, 1, id)
    if messages ~= '' then redis.call('RPUSH', history_key, messages) end
    if redis.call('EXISTS', history_key) == 1 then redis.call('PEXPIRE', history_key, session_ttl) end
    redis.call('PEXPIRE', turn_key, result_ttl)
    redis.call('PEXPIRE', steps_key, result_ttl)
    if idempotency_key ~= turn_key then redis.call('PEXPIRE', idempotency_key, result_ttl) end
  end
  emit(events_key, channel, events)
  if terminal then redis.call('PEXPIRE', events_key, event_ttl) end
end
promote_due(delayed_key, inbox_key, now)
local following = next_of_session(delayed_key, inbox_key, now)
return { 'ok', following[1], following[2] }
