-- Takes or renews the lease and hands out what comes next, or gives the lease up when nothing does.
-- ARGV: 5 token ('' takes), 6 lease in ms, 7 batch bound, 8 tries an input has alone, 9 dead letters kept.
local DEAD_PER_FETCH_MAX = 64 -- Keeps one call short; the next call goes on.
local BATCH_BYTES_MAX = 4194304 -- A batch is held in a component's memory, twice; one input may be larger.

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

local function gather(want)
  local entries = redis.call('XRANGE', IN, '(' .. cur, '+', 'COUNT', want)
  local timers = redis.call('ZRANGEBYSCORE', DUE, '-inf', int(now), 'WITHSCORES', 'LIMIT', 0, want)
  local inputs, entry, timer, bytes = {}, 1, 1, 0
  while #inputs < want and bytes < BATCH_BYTES_MAX and (entries[entry] or timers[timer]) do
    local due = tonumber(timers[timer + 1])
    if timers[timer] and (not entries[entry] or due <= (id_parts(entries[entry][1]))) then
      local k, name = member_parts(timers[timer])
      table.insert(inputs,
        { kind = 't', id = 't:' .. int(due) .. ':' .. name, k = k, d = name, member = timers[timer] })
      timer = timer + 2
    else
      local k, d = entry_parts(entries[entry][2])
      table.insert(inputs, { kind = 'e', id = entries[entry][1], k = k, d = d })
      entry, bytes = entry + 1, bytes + #d
    end
  end
  return inputs
end

local function condemn(input)
  local reason = redis.call('HGET', TRIES, 'err:' .. input.id) or 'its worker was lost each time'
  if input.kind == 'e' then
    bury(input.id, reason, input.k, input.d, '', now, dead_max)
    cur, read = input.id, read + 1
  else
    bury(input.id, reason, input.k, '', input.member, now, dead_max)
    redis.call('ZREM', DUE, input.member)
  end
  seq, solo = seq + 1, math.max(solo - 1, 0)
end

local function save(open_now)
  redis.call('HSET', META, 'cur', cur, 'seq', int(seq), 'open', open_now, 'solo', int(solo),
    'read', int(read), 'now', int(now), 'term', int(term))
end

local inputs, tries, dead = {}, 0, 0
for round = 1, DEAD_PER_FETCH_MAX do
  local want = count
  if solo > 0 then want = 1 end
  inputs, tries = gather(want), 0
  if #inputs ~= 1 then break end
  tries = redis.call('HINCRBY', TRIES, inputs[1].id, 1)
  if tries <= tries_max then break end
  condemn(inputs[1])
  dead = dead + 1
  inputs = {}
end

-- The release: the one place that clears the flag does so where it sees that nothing is left.
-- After a full round of dead letters there may be more, which the caller asks for again.
if #inputs == 0 then
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
save(#inputs)

local reply = { 'batch', token, int(seq), int(now), tries, dead, #inputs }
local fields, known = {}, {}
for _, input in ipairs(inputs) do
  for _, column in ipairs({ input.kind, input.id, input.k, input.d }) do table.insert(reply, column) end
  for field in string.gmatch(input.k, '[^ ]+') do
    if not known[field] then
      known[field] = true
      table.insert(fields, field)
    end
  end
end
table.insert(reply, #fields)
for _, field in ipairs(fields) do
  table.insert(reply, field)
  table.insert(reply, redis.call('HGET', ST, field))
end
return reply
