-- Whether an agent can be run by anybody: 'yes', 'no' (workers are there, none has it) or 'nobody' (no worker at all).
-- KEYS: workers, agents   ARGV: agent name
--@include common.lua

local now = now_ms()
if redis.call('ZCOUNT', KEYS[1], string.format('(%.0f', now), '+inf') == 0 then return 'nobody' end
local until_ms = redis.call('ZSCORE', KEYS[2], ARGV[1])
if until_ms and tonumber(until_ms) > now then return 'yes' end
return 'no'
