-- What the probes of the fleet have cost today (UTC), in billionths of a dollar: looks, reserves or settles.
-- KEYS: spent
-- ARGV: change, budget of the day (empty: whatever it is), day of the reservation (empty: today)
-- Returns: 1 if there was room for it, else 0; the day; what is spent
local now = redis.call('TIME')
local today = string.format('%.0f', math.floor(now[1] / 86400))
local f = redis.call('HMGET', KEYS[1], 'day', 'spent')
local spent = f[1] == today and tonumber(f[2]) or 0
local change, budget, day = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]

if budget and (spent >= budget or spent + change > budget) then return { 0, today, string.format('%.0f', spent) } end
if change ~= 0 and (day == '' or day == today) then
  spent = math.max(0, spent + change)
  redis.call('HSET', KEYS[1], 'day', today, 'spent', string.format('%.0f', spent))
  redis.call('EXPIRE', KEYS[1], 172800)
end
return { 1, today, string.format('%.0f', spent) }
