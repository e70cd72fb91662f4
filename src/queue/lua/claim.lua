-- Claims the head of a session for a worker and raises its epoch (J2).
-- KEYS: turn (the expected head), steps, events, inbox, delayed, history
-- ARGV: turn id, worker, wake-up id, lease ms, channel, agents that the worker has (',a,b,' or '*'), worker that is
--       known to have died ('' for none): its lease counts no longer
-- Returns: {'claimed', epoch, fields of the record, steps, history, now, worker that was lost with the turn ('' for
--          none), when that one claimed it, claims without a finished step} | {'next', kind, value} when another turn is the head,
--          or none is | {'busy', ms, its worker} while one holds it | {'parked', state, ms until an
--          approval expires, if any}
--          | {'unserved', agent, ms since it was due} when the worker lacks the agent
--@include common.lua
--@include claiming.lua

local keys = { turn = KEYS[1], steps = KEYS[2], events = KEYS[3], inbox = KEYS[4], delayed = KEYS[5], history = KEYS[6] }
local who = { id = ARGV[1], worker = ARGV[2], wakeup = ARGV[3], lease = tonumber(ARGV[4]), channel = ARGV[5],
  agents = ARGV[6], gone = ARGV[7] }
local now, at = now_ms()
local obstacle, fields = in_the_way(keys, who, now)
return obstacle or claim(keys, who, fields, at, text_of(now + who.lease))
