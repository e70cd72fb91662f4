-- Commits the result of a step, once (J4). What a tool has done is a fact, so it is kept even from a worker that has
-- lost the turn, as long as nobody has begun the step anew (J6). A step without a nonce is a model's: it leaves no trace
-- before its result. Returns whether the writer still holds the turn and the step; `tell` is called where this is the
-- commit, and gives the turn's last event.
local function commit_step(keys, step, fenced, tell)
  if step.nonce == '' then
    if not fenced and redis.call('HSETNX', keys.steps, step.id .. ':result', step.result) == 1 then
      redis.call('HSET', keys.turn, 'idleClaims', '0', 'last', tell())
    end
    return not fenced
  end
  local header = redis.call('HGET', keys.steps, step.id)
  local begun = header and cjson.decode(header)
  if not begun or begun.nonce ~= step.nonce then return false end
  if begun.state ~= 'done' then
    begun.state = 'done'
    begun.endedAt = now_ms()
    redis.call('HSET', keys.steps, step.id, cjson.encode(begun), step.id .. ':result', step.result)
    if fenced then
      redis.call('HSET', keys.turn, 'idleClaims', '0')
      settle_review(keys.turn, keys.steps, step.id, step.nonce, 'done')
    else
      redis.call('HSET', keys.turn, 'idleClaims', '0', 'last', tell())
    end
  end
  return not fenced
end
