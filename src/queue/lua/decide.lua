-- Takes a person's decision on a call for which a turn waits (J8); when it was the last one, the turn goes on.
-- KEYS: turn, steps, events
-- ARGV: 'approval' or 'review', call id, decision as JSON with a token of this call, channel, events
-- Returns: {'decided', '1' if the turn goes on} | {'unknown'} | {'not_waiting', state} | {'expired'}
--@include common.lua

local turn_key, steps_key, events_key = unpack(KEYS)
local kind, call, decision_text, channel, events = unpack(ARGV)
local held = redis.call('HMGET', turn_key, 'state', 'holdUntil', 'last')
if not held[1] then return { 'unknown' } end
local is_waiting = held[1] == (kind == 'approval' and 'waiting_approval' or 'needs_review')

local decision, holds = cjson.decode(decision_text), {}
local steps = redis.call('HGETALL', steps_key)
for i = 1, #steps, 2 do
  if string.sub(steps[i], -#kind - 1) == ':' .. kind then
    local hold = cjson.decode(steps[i + 1])
    -- A resent command after a lost reply finds its own decision.
    if decision.token and hold.token == decision.token then return { 'decided', is_waiting and '' or '1' } end
    holds[steps[i]] = hold
  end
end
if not is_waiting then return { 'not_waiting', held[1] } end
local now = now_ms()
if kind == 'approval' and tonumber(held[2] or '0') <= now then return { 'expired' } end

local found, pending = false, 0
for field, hold in pairs(holds) do
  if hold.callId == call and hold.state == 'pending' then
    found = true
    for name, value in pairs(decision) do hold[name] = value end
    hold.at = now
    redis.call('HSET', steps_key, field, cjson.encode(hold))
  elseif hold.state == 'pending' then
    pending = pending + 1
  end
end
if not found then return { 'unknown' } end
redis.call('HSET', turn_key, 'last', emit(events_key, channel, events, held[3]))
if pending > 0 then return { 'decided', '' } end
redis.call('HSET', turn_key, 'state', 'queued')
redis.call('HDEL', turn_key, 'holdUntil', 'result')
return { 'decided', '1' }
