-- Takes or renews the lease and hands out what comes next, or gives the lease up when nothing does.
-- ARGV: 5 token ('' takes), 6 lease in ms, 7 batch bound, 8 tries an input has alone, 9 dead letters kept.
local DEAD_PER_FETCH_MAX = 64 -- Keeps one call short; the next call goes on.
local BATCH_BYTES_MAX = 4194304 -- A batch is held in a component's memory, twice; one input may be larger.
local READ_AT_ONCE_MAX = 64 -- One look may read up to so many payloads beyond the bound above.

local clash = home_clash()
if clash then return { 'refused', clash } end
local token, lease_ms, count = ARGV[5], ARGV[6], tonumber(ARGV[7])
local tries_max, dead_max = tonumber(ARGV[8]), ARGV[9]

local holder = redis.call('GET', LEASE)
if holder and holder ~= token then return { 'busy' } end

local meta = redis.call('HMGET', META, 'cur', 'seq', 'open', 'solo', 'read', 'term')
local cur = meta[1] or '0-0'
local seq, open, solo = tonumber(meta[2] or 0), tonumber(meta[3] or 0), tonumber(meta[4] or 0)
local read, term = tonumber(meta[5] or 0), tonumber(meta[6] or 0)
if not (seq and open and solo and read and term) or not id_parts(cur) then
  return { 'refused', 'BADMETA ' .. META .. ' holds something that is not a number' }
end
local now = stage_now()

-- The last holder died or lost its lease: nobody is blamed, each goes alone.
if open > 0 then
  solo = math.max(solo, open)
  bump('unfinished:' .. STAGE)
end

-- The entries after the cursor, one after the other: a batch's worth of large ones is never read at once.
local function reader(want)
  local entries, at, last, many = {}, 1, cur, math.min(want, READ_AT_ONCE_MAX)
  local function peek()
    if at > #entries and last then
      entries, at = redis.call('XRANGE', IN, '(' .. last, '+', 'COUNT', many), 1
      last = #entries == many and entries[many][1] or nil
    end
    return entries[at]
  end
  local function skip() at = at + 1 end
  return peek, skip
end

-- What comes next in order of time: id, fields and payload (a timer's name) of each, in one list,
-- how many, and the member of the first when it is a timer.
local function gather(want)
  local peek, skip = reader(want)
  local timers = redis.call('ZRANGEBYSCORE', DUE, '-inf', int(now), 'WITHSCORES', 'LIMIT', 0, want)
  local columns, many, timer, bytes, member = {}, 0, 1, 0, ''
  while many < want and bytes < BATCH_BYTES_MAX do
    local entry, due, id, k, d = peek(), tonumber(timers[timer + 1])
    if not (entry or due) then break end
    if due and (not entry or due <= (id_parts(entry[1]))) then
      k, d = member_parts(timers[timer])
      id = 't:' .. int(due) .. ':' .. d
      if many == 0 then member = timers[timer] end
      timer = timer + 2
    else
      id, k, d = entry[1], entry_parts(entry[2])
      bytes = bytes + #d
      skip()
    end
    columns[many * 3 + 1], columns[many * 3 + 2], columns[many * 3 + 3] = id, k, d
    many = many + 1
  end
  return columns, many, member
end

local function condemn(columns, member)
  local id, k, d = unpack(columns)
  local reason = redis.call('HGET', TRIES, 'err:' .. id) or 'its worker was lost each time'
  if member == '' then
    bury(id, reason, k, d, '', now, dead_max)
    cur, read = id, read + 1
  else
    bury(id, reason, k, '', member, now, dead_max)
    redis.call('ZREM', DUE, member)
  end
  seq, solo = seq + 1, math.max(solo - 1, 0)
end

local function save(open_now)
  redis.call('HSET', META, 'cur', cur, 'seq', int(seq), 'open', open_now, 'solo', int(solo),
    'read', int(read), 'now', int(now), 'term', int(term))
end

local inputs, many, tries, dead = {}, 0, 0, 0
for round = 1, DEAD_PER_FETCH_MAX do
  local want, member = count, ''
  if solo > 0 then want = 1 end
  tries = 0
  inputs, many, member = gather(want)
  if many ~= 1 then break end
  tries = redis.call('HINCRBY', TRIES, inputs[1], 1)
  if tries <= tries_max then break end
  condemn(inputs, member)
  dead = dead + 1
  many = 0
end

-- The release: the one place that clears the flag does so where it sees that nothing is left.
-- After a full round of dead letters there may be more, which the caller asks for again.
if many == 0 then
  if dead == DEAD_PER_FETCH_MAX then
    save(0)
    redis.call('DEL', LEASE)
    ring_always()
    return { 'idle', int(now), dead }
  end
  solo = 0
  save(0)
  redis.call('DEL', LEASE, BELL)
  return { 'idle', int(now), dead }
end

if token == '' then
  term = term + 1
  local time = redis.call('TIME')
  token = int(term) .. '-' .. time[1] .. '.' .. time[2]
end
redis.call('SET', LEASE, token, 'PX', lease_ms)
save(many)

local fields, known = {}, {}
for index = 2, many * 3, 3 do
  local k = inputs[index]
  if not known[k] then
    known[k] = true
    for field in string.gmatch(k, '[^ ]+') do table.insert(fields, field) end
  end
end
local values = {}
for from = 1, #fields, MANY_MAX do
  table.insert(values, redis.call('HMGET', ST, unpack(fields, from, math.min(from + MANY_MAX - 1, #fields))))
end
return { 'batch', token, int(seq), int(now), tries, dead, many, inputs, #fields, fields, values }
