-- Takes a turn in: admitted, accepted and its session marked as able to start, all of it or nothing (B1, B2, J1); where one
-- server has all keys.
-- KEYS: turn, inbox, delayed, idempotency (or turn), workers, agents, open, ready, tenant's open, running
-- ARGV: longest age ms, tenant's limit of queued turns, agent, base of the turn's rank, longest share of the backlog in it,
--       session, then as accept.lua
-- Returns: as accepting.lua says, followed by the turn's rank
--          | {'unserved', agent} | {'late', age ms} | {'full', queued turns}
--@include common.lua
--@include admitting.lua
--@include accepting.lua

local keys = { turn = KEYS[1], inbox = KEYS[2], delayed = KEYS[3], idempotency = KEYS[4],
  workers = KEYS[5], agents = KEYS[6], open = KEYS[7], ready = KEYS[8], tenant = KEYS[9], running = KEYS[10] }
local max_age, limit, agent, base, longest_share = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5]
local session = ARGV[6]
local turn = { id = ARGV[7], uses_key = ARGV[8] == '1', fingerprint = ARGV[9], delay = tonumber(ARGV[10]),
  deadline = ARGV[11] }

-- What was accepted before is not refused now.
local earlier = accepted_before(keys.turn, turn.id)
  or (turn.uses_key and accepted_under_key(keys.idempotency, turn.fingerprint))
if earlier then
  earlier[5] = redis.call('ZSCORE', keys.tenant, earlier[2]) or base
  return earlier
end

local now, at = now_ms()
local refusal = late(keys, max_age, now) or unserved(keys, agent, now, at)
if refusal then return refusal end
local queued = waiting(keys.tenant, keys.running, at)
if queued >= limit then return { 'full', tostring(queued) } end

local rank = text_of(tonumber(base) + math.min(queued, tonumber(longest_share)))
redis.call('ZADD', keys.open, at, turn.id)
redis.call('ZADD', keys.tenant, rank, turn.id)
local accepted, due_at = accept(keys, turn, 12, now, at)
if accepted[3] == '0' then redis.call('ZADD', keys.ready, 'LT', due_at, session) end
accepted[5] = rank
return accepted
