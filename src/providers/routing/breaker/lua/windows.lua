-- The windows of failures and attempts. A window is ten buckets and the one under way; their ring has one slot more.
-- A slot holds 'bucket:count'. `windows`: their key; `name`: a rule, or a rule and ':all' for its attempts.
local SLOTS = 12

local function slot_field(name, width, bucket)
  return name .. ':' .. whole(width) .. ':' .. whole(bucket % SLOTS)
end

local function add_to_window(windows, name, width, now, count)
  local bucket = math.floor(now / width)
  local field = slot_field(name, width, bucket)
  local held, so_far = string.match(redis.call('HGET', windows, field) or '', '^(%d+):(%d+)$')
  if held and tonumber(held) == bucket then count = count + tonumber(so_far) end
  redis.call('HSET', windows, field, whole(bucket) .. ':' .. whole(count))
end

local function sum_of_window(windows, name, width, now)
  local bucket = math.floor(now / width)
  local fields = {}
  for slot = 0, SLOTS - 1 do fields[slot + 1] = slot_field(name, width, slot) end
  local total = 0
  for _, value in ipairs(redis.call('HMGET', windows, unpack(fields))) do
    local held, count = string.match(value or '', '^(%d+):(%d+)$')
    if held and tonumber(held) > bucket - SLOTS + 1 and tonumber(held) <= bucket then total = total + tonumber(count) end
  end
  return total
end
