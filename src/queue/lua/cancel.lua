-- Cancels a turn: at once if nobody runs it, else by asking its worker.
-- KEYS: turn, steps, events, inbox, delayed, idempotency (or turn, where there is no key)
-- ARGV: turn id, reason, result, channel, events, result ttl ms, event ttl ms, token of this call
-- Returns: {'cancelled', kind, value} with what the session wants next | {'requested'} | {'ended', state} | {'unknown'}
--@include common.lua

local turn_key, steps_key, events_key, inbox_key, delayed_key, idempotency_key = unpack(KEYS)
local id, reason, result, channel, events, result_ttl, event_ttl, token = unpack(ARGV)
local held = redis.call('HMGET', turn_key, 'state', 'last', 'cancelledBy')
local state = held[1]
if not state then return { 'unknown' } end
-- A resent command after a lost reply finds its own token: its caller wakes what the session wants next.
local is_resent = held[3] == token
if is_terminal(state) and not is_resent then return { 'ended', state } end
local now = now_ms()
if not is_resent then
  redis.call('HSET', turn_key, 'cancel', reason)
  if state == 'running' then return { 'requested' } end
  redis.call('HSET', turn_key, 'state', 'cancelled', 'result', result, 'endedAt', text_of(now), 'cancelledBy', token,
    'last', emit(events_key, channel, events, held[2]))
  redis.call('ZREM', delayed_key, id)
  close_turn({ turn = turn_key, steps = steps_key, inbox = inbox_key, idempotency = idempotency_key }, id, result_ttl)
  redis.call('PEXPIRE', events_key, event_ttl)
end
local following = next_of_session(delayed_key, inbox_key, now)
return { 'cancelled', following[1], following[2] }
