-- Puts a dead letter back: an entry at the end of its inbox, a timer due at once. ARGV: 5 its id.
local clash = home_clash()
if clash then return { 'refused', clash } end
local found = redis.call('XRANGE', DEAD, ARGV[5], ARGV[5])
if #found == 0 then return { 'gone' } end
local values = {}
for index = 1, #found[1][2], 2 do values[found[1][2][index]] = found[1][2][index + 1] end
if values.stage ~= STAGE or values.shard ~= SHARD then return { 'refused', 'BADLETTER of another inbox' } end

local now, offset = clock()
if values.member ~= '' then
  redis.call('ZADD', DUE, int(now), values.member)
else
  append(IN, SHARD, now, offset, values.k, values.d)
  bump('appended:' .. STAGE)
end
redis.call('XDEL', DEAD, ARGV[5])
ring_once(BELL, CHANNEL, SHARD)
bump('replayed:' .. STAGE)
return { 'replayed' }
