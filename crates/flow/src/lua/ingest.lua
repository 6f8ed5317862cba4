-- Refuses a duplicate, appends, rings unless a bell is under way. All or nothing.
-- ARGV: 5 inbox bound, 6 life of a seen set in ms, 7 state fields, 8 payload, 9 sets to look in
-- per id, 10.. the ids as int64. KEYS[12..]: the sets of the first id, of the second, …;
-- the first set of each id is the one it is kept in.
local clash = home_clash()
if clash then return { 'refused', clash } end
local bound, life, k, d = tonumber(ARGV[5]), ARGV[6], ARGV[7], ARGV[8]
local sets = tonumber(ARGV[9])
local ids = #ARGV - 9

for id = 1, ids do
  for set = 1, sets do
    local key = KEYS[11 + (id - 1) * sets + set]
    local bad = type_clash(key, 'set')
    if bad then return { 'refused', bad } end
    if redis.call('SISMEMBER', key, ARGV[9 + id]) == 1 then
      bump('duplicate:' .. STAGE)
      return { 'duplicate' }
    end
  end
end

-- Processed entries stay a while, so the length alone says little.
if redis.call('XLEN', IN) >= bound and unread() >= bound then
  bump('full:' .. STAGE)
  return { 'full' }
end

local now, offset = clock()
for id = 1, ids do
  local key = KEYS[11 + (id - 1) * sets + 1]
  redis.call('SADD', key, ARGV[9 + id])
  if redis.call('PTTL', key) < 0 then redis.call('PEXPIRE', key, life) end
end
local entry = append(IN, SHARD, now, offset, k, d)
ring_once(BELL, CHANNEL, SHARD)
bump('appended:' .. STAGE)
return { 'accepted', entry }
