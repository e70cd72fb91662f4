-- Writes what a probe has found, and holds its lease on. Only the holder of the lease is heard.
-- KEYS: profile, lease
-- ARGV: nonce, lease ms, cell, verdict, code, ms that the fact holds
-- Returns: 1 if it was written, else 0
--@include profile.lua

if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[2], ARGV[2])
write_fact(KEYS[1], { cell = ARGV[3], verdict = ARGV[4], source = 'probe', code = ARGV[5], forMs = tonumber(ARGV[6]) })
return 1
