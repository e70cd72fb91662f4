-- Takes a turn that has ended, or never came to be, out of the indexes (B1).
-- KEYS: open, ended, ready, limited tenants, tenant's open, running, limited
-- ARGV: turn id, session, tenant, result ttl ms ('' for a turn that never came to be), tenant's limit of running turns
--       where the turn's place is to be given back as well ('' where it had none)
-- Returns: ids of the turns that may be woken for it
--@include common.lua
--@include places.lua
--@include closing.lua

local keys = { all = KEYS[1], ended = KEYS[2], ready = KEYS[3], tenants = KEYS[4], open = KEYS[5], running = KEYS[6],
  limited = KEYS[7] }
local turn, ttl, limit = { id = ARGV[1], session = ARGV[2], tenant = ARGV[3] }, ARGV[4], ARGV[5]
local now, at = now_ms()
close(keys, turn, ttl, now, at)
if ttl == '' then return {} end
-- What has run took the mark of its session away when it started; the mark there now is another turn's.
if not redis.call('ZSCORE', keys.running, turn.id) then redis.call('ZREM', keys.ready, turn.session) end
if limit == '' then return {} end
return give_way(keys, turn.id, turn.tenant, tonumber(limit), at)
