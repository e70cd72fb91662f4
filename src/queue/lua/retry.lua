-- Enqueues a failed turn again as a new turn of its session, with all that is known of its steps (J11).
-- KEYS: failed turn, its steps, new turn, its steps, inbox
-- ARGV: failed turn's id, new turn's id
-- Returns: {'retried', new id} | {'again', id of the turn that has retried it already} | {'not_failed', state}
--          | {'unknown'}
--@include common.lua

local old_key, old_steps, new_key, new_steps, inbox_key = unpack(KEYS)
local old_id, new_id = ARGV[1], ARGV[2]
local state = redis.call('HGET', old_key, 'state')
if not state then return { 'unknown' } end
if state ~= 'failed' then return { 'not_failed', state } end
local earlier = redis.call('HGET', old_key, 'retriedAs')
if earlier then return { earlier == new_id and 'retried' or 'again', earlier } end

local kept = redis.call('HMGET', old_key, 'agent', 'input', 'options', 'carrier', 'origin', 'acceptedAt', 'deadlineAt')
local now = now_ms()
local deadline = ''
if kept[7] and kept[7] ~= '' then deadline = string.format('%.0f', now + tonumber(kept[7]) - tonumber(kept[6])) end
redis.call('HSET', new_key, 'id', new_id, 'state', 'queued', 'epoch', 0,
  'position', tostring(redis.call('LLEN', inbox_key)),
  'acceptedAt', string.format('%.0f', now), 'dueAt', string.format('%.0f', now), 'deadlineAt', deadline,
  'agent', kept[1], 'input', kept[2], 'options', kept[3] or '{}', 'carrier', kept[4] or '{}',
  'retryOf', old_id, 'origin', kept[5] or old_id)

-- A model step without an answer is asked anew, with the history as it is by then; so is an approval that never came.
local steps = redis.call('HGETALL', old_steps)
for i = 1, #steps, 2 do
  local field, value = steps[i], steps[i + 1]
  local keep = true
  if not string.find(field, ':', 1, true) then
    local header = cjson.decode(value)
    keep = header.state == 'done' or header.kind ~= 'model'
  elseif string.sub(field, -9) == ':approval' then
    keep = cjson.decode(value).state ~= 'pending'
  end
  if keep then redis.call('HSET', new_steps, field, value) end
end
redis.call('HSET', old_key, 'retriedAs', new_id)
redis.call('RPUSH', inbox_key, new_id)
return { 'retried', new_id }
