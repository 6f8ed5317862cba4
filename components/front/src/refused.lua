-- Whether a line about refused deliveries is due, and how many were told by the last one.
-- KEYS: the counters. ARGV: 1 the counter, 2 its number by now, 3 milliseconds between two lines.
-- Gives the number told last, or nothing when no line is due. Kept beside the counter, so that a
-- flood of forgeries adds no key.
local at, told = 'told-at:' .. ARGV[1], 'told:' .. ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local last = tonumber(redis.call('HGET', KEYS[1], at) or 0)
if last <= now and now - last < tonumber(ARGV[3]) then return false end
local before = redis.call('HGET', KEYS[1], told) or '0'
redis.call('HSET', KEYS[1], at, string.format('%d', now), told, ARGV[2])
return before
