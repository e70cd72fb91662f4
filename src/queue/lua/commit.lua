-- Commits the result of a step, once (J4). What a tool has done is a fact, so it is kept even from a worker that
-- has lost the turn, as long as nobody has begun the step anew (J6).
-- KEYS: turn, steps, events
-- ARGV: epoch, step id, nonce, result, channel, events
-- Returns: 'ok' | 'fenced'
--@include common.lua

local turn_key, steps_key, events_key = unpack(KEYS)
local epoch, step, nonce, result, channel, events = unpack(ARGV)
local fenced = is_fenced(turn_key, epoch)

local header = redis.call('HGET', steps_key, step)
local begun = header and cjson.decode(header)
if not begun or begun.nonce ~= nonce then return 'fenced' end
if begun.state ~= 'done' and not (fenced and begun.kind == 'model') then
  begun.state = 'done'
  begun.endedAt = now_ms()
  redis.call('HSET', steps_key, step, cjson.encode(begun), step .. ':result', result)
  redis.call('HSET', turn_key, 'idleClaims', '0')
  if fenced then settle_review(turn_key, steps_key, step, nonce, 'done') else emit(events_key, channel, events) end
end
return fenced and 'fenced' or 'ok'
