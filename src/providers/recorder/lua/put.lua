-- Keeps a record and lets go of the oldest ones.
-- KEYS: 1 records (hash: id -> JSON), 2 index by time, 3 index of the route
-- ARGV: 1 id, 2 record, 3 keep in ms, 4 most records
local t = redis.call('TIME')
-- Microseconds: several records may end in one millisecond, and their order is to stay.
local now = t[1] * 1000000 + t[2]
local stamp = string.format('%.0f', now)
local keep = tonumber(ARGV[3])
local expired = string.format('%.0f', now - keep * 1000)

redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], stamp, ARGV[1])
redis.call('ZADD', KEYS[3], stamp, ARGV[1])

-- Two go for each that comes, so that a lowered limit is reached without one long script.
local old = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', expired, 'LIMIT', 0, 100)
local over = redis.call('ZCARD', KEYS[2]) - #old - tonumber(ARGV[4])
if over > 0 then
  local surplus = redis.call('ZRANGE', KEYS[2], #old, #old + math.min(over, 2) - 1)
  for _, id in ipairs(surplus) do old[#old + 1] = id end
end
for _, id in ipairs(old) do
  redis.call('HDEL', KEYS[1], id)
  redis.call('ZREM', KEYS[2], id)
  redis.call('ZREM', KEYS[3], id)
end
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', expired)
redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -tonumber(ARGV[4]) - 1)
for i = 1, 3 do redis.call('PEXPIRE', KEYS[i], ARGV[3]) end
return #old
