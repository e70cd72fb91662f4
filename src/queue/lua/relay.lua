-- Hands deltas on to the readers of turns, of many at once.
-- KEYS: for each turn: turn, events   ARGV: for each: token of this write (epoch.number, then the step), channel, events
-- Returns: for each: 'ok' | 'fenced'
--@include common.lua

local outcomes = {}
for nth = 1, #KEYS / 2 do
  local turn_key, events_key = KEYS[2 * nth - 1], KEYS[2 * nth]
  local token, channel, events = unpack(ARGV, 3 * nth - 2, 3 * nth)
  local held = redis.call('HMGET', turn_key, 'epoch', 'state', 'relayed', 'last')
  if held[1] ~= string.match(token, '%d+') or held[2] ~= 'running' then
    outcomes[nth] = 'fenced' -- J3
  else
    -- A resent command after a lost reply finds its own token: readers get each delta once.
    if held[3] ~= token then
      redis.call('HSET', turn_key, 'relayed', token, 'last', emit(events_key, channel, events, held[4]))
    end
    outcomes[nth] = 'ok'
  end
end
return outcomes
