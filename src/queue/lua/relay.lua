-- Hands deltas on to the readers of turns, of many at once.
-- KEYS: for each turn: turn, events   ARGV: for each: epoch, channel, events, token of this write
-- Returns: for each: 'ok' | 'fenced'
--@include common.lua

local outcomes = {}
for nth = 1, #KEYS / 2 do
  local turn_key, events_key = KEYS[2 * nth - 1], KEYS[2 * nth]
  local epoch, channel, events, token = unpack(ARGV, 4 * nth - 3, 4 * nth)
  local held = redis.call('HMGET', turn_key, 'epoch', 'state', 'relayed')
  if held[1] ~= epoch or held[2] ~= 'running' then
    outcomes[nth] = 'fenced' -- J3
  else
    -- A resent command after a lost reply finds its own token: readers get each delta once.
    if held[3] ~= token then
      redis.call('HSET', turn_key, 'relayed', token)
      emit(events_key, channel, events)
    end
    outcomes[nth] = 'ok'
  end
end
return outcomes
