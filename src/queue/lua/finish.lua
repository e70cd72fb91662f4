-- Ends a turn, parks it, or hands it back; says what its session wants next.
-- KEYS: turn, steps, events, inbox, delayed, history, idempotency (or turn, where there is no key)
-- ARGV: epoch, turn id, new state, result, messages for the session ('' for none), channel, events,
--       result ttl ms, event ttl ms, session ttl ms, ms until the hold ends ('' for never),
--       id, nonce and result of the step that it ends with ('' for none that is not committed yet),
--       then field/value pairs of what it waits for (J8)
-- Returns: {'ok', kind, value} | {'fenced'}
--@include common.lua
--@include steps.lua

local turn_key, steps_key, events_key, inbox_key, delayed_key, history_key, idempotency_key = unpack(KEYS)
local epoch, id, state, result, messages, channel, events = unpack(ARGV, 1, 7)
local result_ttl, event_ttl, session_ttl, hold_ms = ARGV[8], ARGV[9], ARGV[10], ARGV[11]
local step, holds_from = { id = ARGV[12], nonce = ARGV[13], result = ARGV[14] }, 15
local now = now_ms()
local held = redis.call('HMGET', turn_key, 'epoch', 'state')
-- A resent command after a lost reply finds its own work done.
local resent = held[1] == epoch and held[2] == state and state ~= 'running'
if not resent then
  if is_fenced(turn_key, epoch) then return { 'fenced' } end
  if step.id ~= '' and not commit_step({ turn = turn_key, steps = steps_key }, step, false, function() end) then
    return { 'fenced' }
  end
  -- What a review would ask may have become known meanwhile (J9): the turn goes on instead.
  if state == 'needs_review' then
    local known = 0
    for i = holds_from, #ARGV, 2 do
      local header = redis.call('HGET', steps_key, string.sub(ARGV[i], 1, -8))
      local begun = header and cjson.decode(header)
      if begun and begun.state ~= 'started' then known = known + 1 end
    end
    if known > 0 then
      redis.call('HSET', turn_key, 'state', 'queued', 'leaseUntil', '0', 'wakeup', '', 'idleClaims', '0')
      return { 'ok', 'turn', id }
    end
  end
  redis.call('HSET', turn_key, 'state', state, 'leaseUntil', '0', 'wakeup', '', 'idleClaims', '0')
  if hold_ms ~= '' then redis.call('HSET', turn_key, 'holdUntil', string.format('%.0f', now + tonumber(hold_ms))) end
  if #ARGV >= holds_from then redis.call('HSET', steps_key, unpack(ARGV, holds_from)) end
  if result ~= '' then redis.call('HSET', turn_key, 'result', result) end
  local terminal = is_terminal(state)
  if terminal then
    if messages ~= '' then redis.call('RPUSH', history_key, messages) end
    if redis.call('EXISTS', history_key) == 1 then redis.call('PEXPIRE', history_key, session_ttl) end
    close_turn({ turn = turn_key, steps = steps_key, inbox = inbox_key, delayed = delayed_key,
      idempotency = idempotency_key }, id, now, result_ttl)
  end
  emit(events_key, channel, events)
  if terminal then redis.call('PEXPIRE', events_key, event_ttl) end
end
promote_due(delayed_key, inbox_key, now)
local following = next_of_session(delayed_key, inbox_key, now)
return { 'ok', following[1], following[2] }
