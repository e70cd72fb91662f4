-- Admits turns before they are accepted (B1): all of them or none. What it admits stands in the indexes of open turns.
-- KEYS: workers, agents, open, ready, then for each tenant: open, running
-- ARGV: longest age ms, number of tenants, their limits of queued turns, then for each turn: id, agent, number of its
--       tenant (from 1), base of its rank, longest share of the backlog in it
-- Returns: {'admitted', ranks…} | {'unserved', agent} | {'late', age ms} | {'full', number of the tenant, queued turns}
--@include common.lua

local workers_key, agents_key, open_key, ready_key = unpack(KEYS, 1, 4)
local max_age, tenants = tonumber(ARGV[1]), tonumber(ARGV[2])
local now = now_ms()
local first = 3 + tenants
local anybody = redis.call('ZCOUNT', workers_key, string.format('(%.0f', now), '+inf') > 0

local oldest = redis.call('ZRANGE', ready_key, 0, 0, 'WITHSCORES')
if oldest[2] and now - tonumber(oldest[2]) > max_age then
  return { 'late', string.format('%.0f', now - tonumber(oldest[2])) }
end

local queued = {}
for t = 1, tenants do
  local running = redis.call('ZCOUNT', KEYS[4 + 2 * t], string.format('(%.0f', now), '+inf')
  queued[t] = math.max(0, redis.call('ZCARD', KEYS[3 + 2 * t]) - running)
end

local ranks, served = { 'admitted' }, {}
for i = first, #ARGV, 5 do
  local agent, tenant = ARGV[i + 1], tonumber(ARGV[i + 2])
  if anybody and not served[agent] then
    local until_ms = redis.call('ZSCORE', agents_key, agent)
    if not until_ms or tonumber(until_ms) <= now then return { 'unserved', agent } end
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
  ranks[#ranks + 1] = string.format('%.0f', rank)
end

local nth = 2
for i = first, #ARGV, 5 do
  redis.call('ZADD', open_key, 'NX', now, ARGV[i])
  redis.call('ZADD', KEYS[3 + 2 * tonumber(ARGV[i + 2])], ranks[nth], ARGV[i])
  nth = nth + 1
end
return ranks
