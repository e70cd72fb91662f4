-- Takes back the start of a step whose tool was never run: a fact, so it counts even from a worker that has lost the
-- turn, as long as nobody has begun the step anew (J9).
-- KEYS: turn, steps   ARGV: step id, nonce
-- Returns: 'ok'
--@include common.lua

local turn_key, steps_key, step, nonce = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
local header = redis.call('HGET', steps_key, step)
local begun = header and cjson.decode(header)
if begun and begun.nonce == nonce and begun.state == 'started' then
  begun.state = 'withdrawn'
  redis.call('HSET', steps_key, step, cjson.encode(begun))
  settle_review(turn_key, steps_key, step, nonce, 'not_done')
end
return 'ok'
