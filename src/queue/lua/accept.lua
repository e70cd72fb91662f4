-- Accepts a turn that was admitted (J1).
-- KEYS: turn, inbox, delayed, idempotency (or turn, where no key is given)
-- ARGV: turn id, session's idempotency use ('1' or ''), fingerprint of the input, delay ms, deadline ms ('' for none),
--       then field/value pairs of the record
-- Returns: as accepting.lua says
--@include common.lua
--@include accepting.lua

local keys = { turn = KEYS[1], inbox = KEYS[2], delayed = KEYS[3], idempotency = KEYS[4] }
local turn = { id = ARGV[1], uses_key = ARGV[2] == '1', fingerprint = ARGV[3], delay = tonumber(ARGV[4]),
  deadline = ARGV[5] }
return accepted_before(keys.turn, turn.id)
  or (turn.uses_key and accepted_under_key(keys.idempotency, turn.fingerprint))
  or accept(keys, turn, 6, now_ms())
