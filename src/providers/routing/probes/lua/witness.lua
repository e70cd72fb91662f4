-- Adds what a process has seen of a cell in its traffic, and concludes from what the fleet has seen in the window.
-- KEYS: profile, tally
-- ARGV: cell, good answers, broken ones, refusals, code, ms that a fact holds, window ms,
--       good answers that show a cell safe, broken ones that show it broken, the share that they must reach,
--       ms that it is then held for broken
-- Returns: what it has concluded, or an empty string
--@include profile.lua

local cell, code = ARGV[1], ARGV[5]
local window, safe_from, broken_from, share = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local now = now_ms()
local f = redis.call('HMGET', KEYS[2], cell .. ':since', cell .. ':ok', cell .. ':broken')
local is_old = now - tonumber(f[1] or '0') >= window
local since = is_old and now or tonumber(f[1])
local ok = (is_old and 0 or tonumber(f[2])) + tonumber(ARGV[2])
local broken = (is_old and 0 or tonumber(f[3])) + tonumber(ARGV[3])
redis.call('HSET', KEYS[2], cell .. ':since', whole(since), cell .. ':ok', whole(ok), cell .. ':broken', whole(broken))
redis.call('PEXPIRE', KEYS[2], whole(window))

local verdict = ''
if tonumber(ARGV[4]) > 0 then verdict = 'refused'
elseif broken >= broken_from and broken >= share * (ok + broken) then verdict = 'broken'
elseif broken == 0 and ok >= safe_from then verdict, code = 'ok', '' end
if verdict ~= '' then
  -- What has led to a conclusion leads to no second one.
  redis.call('HDEL', KEYS[2], cell .. ':since', cell .. ':ok', cell .. ':broken')
  local for_ms = tonumber(verdict == 'broken' and ARGV[11] or ARGV[6])
  write_fact(KEYS[1], { cell = cell, verdict = verdict, source = 'traffic', code = code, forMs = for_ms })
end
return verdict
