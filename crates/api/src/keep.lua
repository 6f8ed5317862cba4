-- Keeps the delivery of an event for replay, for a while and among the newest only.
-- KEYS: the ring of events whose delivery is kept, by when it came.
-- ARGV: the event, what is kept, its life in ms, when it came in ms, deliveries kept, what the
-- keys of kept deliveries begin with.
local AT_ONCE_MAX = 100 -- Of deliveries dropped in one call and for one reason; one is added in each.
local life, came, prefix = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[6]
local function drop(events)
  for _, event in ipairs(events) do
    redis.call('DEL', prefix .. event)
    redis.call('ZREM', KEYS[1], event)
  end
end
redis.call('SET', prefix .. ARGV[1], ARGV[2], 'PX', ARGV[3])
redis.call('ZADD', KEYS[1], ARGV[4], ARGV[1])
-- Their time is over, also where it was longer when they came.
local ended = string.format('(%.0f', came - life)
drop(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ended, 'LIMIT', 0, AT_ONCE_MAX))
local over = math.min(redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[5]), AT_ONCE_MAX)
if over > 0 then drop(redis.call('ZRANGE', KEYS[1], 0, over - 1)) end
-- The ring lives as long as the last of them.
if redis.call('PTTL', KEYS[1]) < life then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return { 1 }
