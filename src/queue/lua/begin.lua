-- Begins a tool's step, or says what became of it earlier (J4, J5).
-- KEYS: turn, steps, events
-- ARGV: epoch, step id, nonce, kind, name, effect, arguments' hash, channel, events for a first start,
--       events for a start after a crash
-- Returns: {'go'} | {'done', result} | {'ambiguous', nonce of the unknown start} | {'mismatch'} | {'fenced'}
--          | {'reviewed', decision} when a person has said what became of the unknown start (J8)
--@include common.lua

local turn_key, steps_key, events_key = unpack(KEYS)
local epoch, step, nonce, kind, name, effect, hash, channel = unpack(ARGV, 1, 8)
local first_events, again_events = ARGV[9], ARGV[10]
local fenced, last = is_fenced(turn_key, epoch)
if fenced then return { 'fenced' } end

local function review_of_step()
  local text = redis.call('HGET', steps_key, step .. ':review')
  return text and cjson.decode(text)
end

local header = redis.call('HGET', steps_key, step)
local earlier = header and cjson.decode(header)
if earlier then
  if earlier.hash ~= hash then return { 'mismatch' } end
  if earlier.state == 'done' then return { 'done', redis.call('HGET', steps_key, step .. ':result') } end
  if earlier.nonce == nonce then -- the command was sent again after a lost reply: it is told the same again
    if earlier.reviewed then return { 'reviewed', cjson.encode(review_of_step()) } end
    return { 'go' }
  end
end
local review
if earlier and effect == 'unsafe' then
  review = review_of_step()
  -- A start on a review that says "done" runs no tool: its loss leaves nothing unknown.
  local counts = review and review.state ~= 'pending'
    and (review.nonce == earlier.nonce or (review.state == 'done' and review.nonce == earlier.reviewed))
  if not counts then review = nil end
  if not review and earlier.state ~= 'withdrawn' then return { 'ambiguous', earlier.nonce } end
end
redis.call('HSET', steps_key, step, cjson.encode({ state = 'started', kind = kind, name = name, effect = effect,
  hash = hash, nonce = nonce, epoch = epoch, startedAt = earlier and earlier.startedAt or now_ms(),
  reviewed = review and review.nonce or nil }))
last = emit(events_key, channel, earlier and again_events or first_events, last)
redis.call('HSET', turn_key, 'last', last)
if review then return { 'reviewed', cjson.encode(review) } end
return { 'go' }
