-- Lays a delivery among the dead letters of the ingest, its sealed form beside it for a while.
-- KEYS: the letters, the counters.
-- ARGV: the letter, its sealed form ('' none), its life in ms, letters kept, what the keys of
-- sealed forms begin with, the counter's name.
local AT_ONCE_MAX = 100 -- Of letters dropped in one call; one is added in each.
local kept = tonumber(ARGV[4])
local over = redis.call('XLEN', KEYS[1]) - kept + 1
if over > 0 then
  for _, old in ipairs(redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', math.min(over, AT_ONCE_MAX))) do
    redis.call('DEL', ARGV[5] .. old[1])
    redis.call('XDEL', KEYS[1], old[1])
  end
end
local id = redis.call('XADD', KEYS[1], '*', 'd', ARGV[1])
if ARGV[2] ~= '' then redis.call('SET', ARGV[5] .. id, ARGV[2], 'PX', ARGV[3]) end
redis.pcall('HINCRBY', KEYS[2], ARGV[6], 1)
return { id }
