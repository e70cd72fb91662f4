-- Admits turns before they are accepted (B1): all of them or none. What it admits stands in the indexes of open turns.
-- KEYS: workers, agents, open, ready, then for each tenant: open, running
-- ARGV: longest age ms, number of tenants, their limits of queued turns, then for each turn: id, agent, number of its
--       tenant (from 1), base of its rank, longest share of the backlog in it
-- Returns: {'admitted', ranks…} | {'unserved', agent} | {'late', age ms} | {'full', number of the tenant, queued turns}
--@include common.lua
--@include admitting.lua

local keys = { workers = KEYS[1], agents = KEYS[2], open = KEYS[3], ready = KEYS[4] }
local max_age, tenants = tonumber(ARGV[1]), tonumber(ARGV[2])
local now, at = now_ms()
local first = 3 + tenants

local too_late = late(keys, max_age, now)
if too_late then return too_late end

local queued = {}
for t = 1, tenants do queued[t] = waiting(KEYS[3 + 2 * t], KEYS[4 + 2 * t], at) end

local ranks, served = { 'admitted' }, {}
for i = first, #ARGV, 5 do
  local agent, tenant = ARGV[i + 1], tonumber(ARGV[i + 2])
  if not served[agent] then
    local refusal = unserved(keys, agent, now, at)
    if refusal then return refusal end
    served[agent] = true
  end
  -- A command that is sent again after a lost reply finds its own entry.
  local rank = redis.call('ZSCORE', KEYS[3 + 2 * tenant], ARGV[i])
  if not rank then
    if queued[tenant] >= tonumber(ARGV[2 + tenant]) then
      return { 'full', tostring(tenant), tostring(queued[tenant]) }
    end
    rank = tonumber(ARGV[i + 3]) + math.min(queued[tenant], tonumber(ARGV[i + 4]))
    queued[tenant] = queued[tenant] + 1
  end
  ranks[#ranks + 1] = text_of(rank)
end

local nth = 2
for i = first, #ARGV, 5 do
  redis.call('ZADD', keys.open, 'NX', at, ARGV[i])
  redis.call('ZADD', KEYS[3 + 2 * tonumber(ARGV[i + 2])], ranks[nth], ARGV[i])
  nth = nth + 1
end
return ranks
