-- Lets a turn go: ended, parked or handed back, its place given back, and taken out of the indexes if it has ended (B1, B3,
-- J7); where one server has all keys.
-- KEYS: turn, steps, events, inbox, delayed, history, idempotency (or turn, where there is no key), open, ended, limited
--       tenants, tenant's open, running, limited
-- ARGV: epoch, turn id, new state, result, messages for the session ('' for none), channel, events,
--       result ttl ms, event ttl ms, session ttl ms, ms until the hold ends ('' for never),
--       tenant, tenant's limit of running turns, then field/value pairs of what it waits for (J8)
-- Returns: {{'ok', kind, value}, ids of the turns that may be woken for it} | {{'fenced'}, {}}
--@include common.lua
--@include finishing.lua
--@include places.lua
--@include closing.lua

local keys = { turn = KEYS[1], steps = KEYS[2], events = KEYS[3], inbox = KEYS[4], delayed = KEYS[5], history = KEYS[6],
  idempotency = KEYS[7] }
local indexes = { all = KEYS[8], ended = KEYS[9], tenants = KEYS[10], open = KEYS[11], running = KEYS[12], limited = KEYS[13] }
local ending = { epoch = ARGV[1], id = ARGV[2], state = ARGV[3], result = ARGV[4], messages = ARGV[5], channel = ARGV[6],
  events = ARGV[7], result_ttl = ARGV[8], event_ttl = ARGV[9], session_ttl = ARGV[10], hold = ARGV[11] }
local tenant, limit = ARGV[12], tonumber(ARGV[13])
local now, at = now_ms()
local reply = finish(keys, ending, 14, now, at)
if reply[1] == 'fenced' then return { reply, {} } end
if is_terminal(ending.state) then close(indexes, { id = ending.id, tenant = tenant }, ending.result_ttl, now, at) end
return { reply, give_way(indexes, ending.id, tenant, limit, at) }
