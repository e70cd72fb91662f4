-- Counts within a sliding window. It is ten buckets and the one under way; their ring has one slot more. A slot holds
-- 'bucket:count'.
-- `window`: {key of the hash, now}; `width`: of a bucket, in milliseconds
--@include time.lua

local SLOTS = 12

local function slot_field(name, width, bucket)
  return name .. ':' .. whole(width) .. ':' .. whole(bucket % SLOTS)
end

local function add(window, name, width, count)
  local bucket = math.floor(window.now / width)
  local field = slot_field(name, width, bucket)
  local held, so_far = string.match(redis.call('HGET', window.key, field) or '', '^(%d+):(%d+)$')
  if held and tonumber(held) == bucket then count = count + tonumber(so_far) end
  redis.call('HSET', window.key, field, whole(bucket) .. ':' .. whole(count))
end

local function sum(window, name, width)
  local bucket = math.floor(window.now / width)
  local fields = {}
  for slot = 0, SLOTS - 1 do fields[slot + 1] = slot_field(name, width, slot) end
  local total = 0
  for _, value in ipairs(redis.call('HMGET', window.key, unpack(fields))) do
    local held, count = string.match(value or '', '^(%d+):(%d+)$')
    if held and tonumber(held) > bucket - SLOTS + 1 and tonumber(held) <= bucket then total = total + tonumber(count) end
  end
  return total
end
