-- Commits the result of a step, once (J4). What a tool has done is a fact, so it is kept even from a worker that has
-- lost the turn, as long as nobody has begun the step anew (J6). Returns whether the writer still holds the turn and the
-- step; `tell` is called where this is the commit.
local function commit_step(keys, step, fenced, tell)
  local header = redis.call('HGET', keys.steps, step.id)
  local begun = header and cjson.decode(header)
  if not begun or begun.nonce ~= step.nonce then return false end
  if begun.state ~= 'done' and not (fenced and begun.kind == 'model') then
    begun.state = 'done'
    begun.endedAt = now_ms()
    redis.call('HSET', keys.steps, step.id, cjson.encode(begun), step.id .. ':result', step.result)
    redis.call('HSET', keys.turn, 'idleClaims', '0')
    if fenced then settle_review(keys.turn, keys.steps, step.id, step.nonce, 'done') else tell() end
  end
  return not fenced
end
