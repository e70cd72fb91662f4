-- Ends a turn, parks it, or hands it back; says what its session wants next.
-- KEYS: turn, steps, events, inbox, delayed, history, idempotency (or turn, where there is no key)
-- ARGV: epoch, turn id, new state, result, messages for the session ('' for none), channel, events,
--       result ttl ms, event ttl ms, session ttl ms, ms until the hold ends ('' for never),
--       then field/value pairs of what it waits for (J8)
-- Returns: {'ok', kind, value} | {'fenced'}
--@include common.lua
--@include finishing.lua

local keys = { turn = KEYS[1], steps = KEYS[2], events = KEYS[3], inbox = KEYS[4], delayed = KEYS[5], history = KEYS[6],
  idempotency = KEYS[7] }
local ending = { epoch = ARGV[1], id = ARGV[2], state = ARGV[3], result = ARGV[4], messages = ARGV[5], channel = ARGV[6],
  events = ARGV[7], result_ttl = ARGV[8], event_ttl = ARGV[9], session_ttl = ARGV[10], hold = ARGV[11] }
return finish(keys, ending, 12, now_ms())
