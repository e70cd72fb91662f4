-- Cancels a turn: at once if nobody runs it, else by asking its worker.
-- KEYS: turn, steps, events, inbox, delayed, idempotency (or turn, where there is no key)
-- ARGV: turn id, reason, result, channel, events, result ttl ms, event ttl ms
-- Returns: {'cancelled', kind, value} with what the session wants next | {'requested'} | {'ended', state} | {'unknown'}
--@include common.lua

local turn_key, steps_key, events_key, inbox_key, delayed_key, idempotency_key = unpack(KEYS)
local id, reason, result, channel, events, result_ttl, event_ttl = unpack(ARGV)
local held = redis.call('HMGET', turn_key, 'state', 'last')
local state = held[1]
if not state then return { 'unknown' } end
if is_terminal(state) then return { 'ended', state } end
redis.call('HSET', turn_key, 'cancel', reason)
if state == 'running' then return { 'requested' } end

local now = now_ms()
redis.call('HSET', turn_key, 'state', 'cancelled', 'result', result, 'endedAt', text_of(now),
  'last', emit(events_key, channel, events, held[2]))
redis.call('ZREM', delayed_key, id)
close_turn({ turn = turn_key, steps = steps_key, inbox = inbox_key, idempotency = idempotency_key }, id, result_ttl)
redis.call('PEXPIRE', events_key, event_ttl)
local following = next_of_session(delayed_key, inbox_key, now)
return { 'cancelled', following[1], following[2] }
