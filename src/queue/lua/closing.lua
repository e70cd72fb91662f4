-- Takes a turn that has ended, or never came to be (no ttl), out of the indexes (B1). `keys` are those of places.lua with the
-- open and ended turns as `all` and `ended`; `at` is `now` as text.
local function close(keys, turn, ttl, now, at)
  redis.call('ZREM', keys.all, turn.id)
  redis.call('ZREM', keys.open, turn.id)
  leave_limited(keys, turn.id, turn.tenant)
  if ttl == '' then return end
  redis.call('ZADD', keys.ended, at, turn.id)
  redis.call('PEXPIRE', keys.ended, ttl)
  -- One in sixteen, by its random id, takes those away that can be read no more.
  if string.sub(turn.id, 3, 3) == '0' then
    redis.call('ZREMRANGEBYSCORE', keys.ended, '-inf', text_of(now - tonumber(ttl)))
  end
end
