-- Gives the lease up. ARGV: 5 token, 6 lone input handed back untried ('' none),
-- 7 'ring' (when work is left) or 'quiet' (after a failure: the next tick rings, so that a
-- failing store is not hammered).
local clash = home_clash()
if clash then return { 'refused', clash } end
if redis.call('GET', LEASE) ~= ARGV[5] then return { 'lost' } end
redis.call('HSET', META, 'open', 0)
if ARGV[6] ~= '' and redis.call('HINCRBY', TRIES, ARGV[6], -1) <= 0 then
  redis.call('HDEL', TRIES, ARGV[6])
end
redis.call('DEL', LEASE)
if ARGV[7] == 'ring' and has_work(stage_now()) then
  ring_always()
  return { 'rung' }
end
redis.call('DEL', BELL)
return { 'quiet' }
