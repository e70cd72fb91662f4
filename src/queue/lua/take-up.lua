-- Takes a turn up: a place among the running ones of its tenant, and the claim (B3, J2); where one server has all keys.
-- KEYS: turn (the expected head), steps, events, inbox, delayed, history, ready, limited tenants, tenant's open, running,
--       limited
-- ARGV: turn id, worker, wake-up id, lease ms, channel, agents that the worker has (',a,b,' or '*'), worker that is
--       known to have died ('' for none): its lease counts no longer,
--       session, tenant, tenant's limit of running turns
-- Returns: {reply, turns that may be woken}; the reply is {'limited'} when the turn must wait for another one, or
--          {'claimed', epoch, fields of the record, steps, history, now, worker that was lost with the turn ('' for
--          none), when that one claimed it, claims without a finished step} | {'next', kind, value} when another turn is the head,
--          or none is | {'busy', ms, its worker} while one holds it | {'parked', state, ms until an
--          approval expires, if any}
--          | {'unserved', agent, ms since it was due} when the worker lacks the agent
--@include common.lua
--@include claiming.lua
--@include places.lua

local keys = { turn = KEYS[1], steps = KEYS[2], events = KEYS[3], inbox = KEYS[4], delayed = KEYS[5], history = KEYS[6] }
local places = { ready = KEYS[7], tenants = KEYS[8], open = KEYS[9], running = KEYS[10], limited = KEYS[11] }
local who = { id = ARGV[1], worker = ARGV[2], wakeup = ARGV[3], lease = tonumber(ARGV[4]), channel = ARGV[5],
  agents = ARGV[6], gone = ARGV[7] }
local session, tenant, limit = ARGV[8], ARGV[9], tonumber(ARGV[10])
local now, at = now_ms()

local obstacle, fields = in_the_way(keys, who, now)
if obstacle then
  redis.call('ZREM', places.ready, session)
  if obstacle[1] == 'busy' then return { obstacle, {} } end
  return { obstacle, give_way(places, who.id, tenant, limit, at) }
end
local lease_until = text_of(now + who.lease)
if not take_place(places, { id = who.id, session = session, tenant = tenant }, lease_until, limit, at) then
  return { { 'limited' }, {} }
end
return { claim(keys, who, fields, at, lease_until), {} }
