-- Commits a batch, or the front part of one: everything is parsed and checked, then everything
-- is written. ARGV: 5 token, 6 commit number, 7 lease in ms, 8 inputs still open after this,
-- 9 cursor ('' stays), 10 entries consumed, 11 inputs consumed, 12 failed input ('' none), 13 its error,
-- 14 its tries before it is dead (0 at once), 15 its timer member ('' for an entry),
-- 16 dead letters kept, 17 ids of the consumed entries, 18 number of consumed timers, their ids, then
-- the operations: each a name, how many of its kind, and the arguments of each.
-- KEYS[12..]: the keys that operations name by their position.
local clash = home_clash()
if clash then return { 'refused', clash } end
local token, expected, lease_ms = ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])
local open_left, cur = tonumber(ARGV[8]), ARGV[9]
local entries, inputs = tonumber(ARGV[10]), tonumber(ARGV[11])
local failed, reason, tries_max, member = ARGV[12], ARGV[13], tonumber(ARGV[14]), ARGV[15]
local dead_max, timers = tonumber(ARGV[16]), tonumber(ARGV[18])

if redis.call('GET', LEASE) ~= token then
  bump('lost:' .. STAGE)
  return { 'lost' }
end
local meta = redis.call('HMGET', META, 'cur', 'seq', 'solo', 'read')
local seq, solo, read = tonumber(meta[2] or 0), tonumber(meta[3] or 0), tonumber(meta[4] or 0)
if seq ~= expected then
  bump('stale:' .. STAGE)
  return { 'stale' }
end
if not (solo and read and lease_ms and open_left and entries and inputs and tries_max and dead_max and timers)
  or (cur ~= '' and not id_parts(cur)) then
  return { 'refused', 'BADNUMBER in the head of a commit' }
end
if cur == '' then cur = meta[1] or '0-0' end
local now, offset = stage_now()

-- First pass: read the operations into a plan. A problem found anywhere refuses it all.
local TIME_MAX, COUNT_MAX, ADD_MAX = 9007199254740991, 4294967295, 1000000000000000
local at, last, problem, plan, types = 18 + timers, #ARGV, nil, {}, {}
local appended = {}

-- The positions of the next so many arguments.
local function take(many)
  local from = at + 1
  at = at + many
  if at > last then problem = problem or 'SHORT operation list' end
  return from, at
end

local function arg() return ARGV[take(1)] or '' end

local function check(text, low, high)
  local value = text and string.match(text, '^%-?%d+$') and tonumber(text)
  if not value or value < low or value > high then problem = problem or ('BADNUMBER ' .. (text or '')) end
end

local function number(low, high)
  local text = arg()
  check(text, low, high)
  return text
end

-- Refuses a key that will not hold `want` or nothing when its turn comes; `found` if that is known.
local function typed(name, want, found)
  found = types[name] or found or redis.call('TYPE', name).ok
  if found ~= 'none' and want ~= 'any' and found ~= want then
    problem = problem or ('WRONGTYPE ' .. name .. ' holds a ' .. found .. ', expected a ' .. want)
  end
  types[name] = (want == 'any') and 'none' or want
end

local function key_at(position)
  local name = KEYS[tonumber(ARGV[position]) or 0]
  if not name then problem = problem or 'BADKEY position' end
  return name or IN
end

local function key(want)
  local name = key_at(take(1))
  typed(name, want)
  return name
end

local function will(step) table.insert(plan, step) end

local function plan_call(...)
  local call = { ... }
  will(function() redis.call(unpack(call)) end)
end

-- One call for as many as there are, of `width` arguments each.
local function plan_many(command, name, many, width)
  local from, to = take(many * width)
  will(function() redis.call(command, name, unpack(ARGV, from, to)) end)
  return from, to
end

-- Scores come first in each pair.
local function plan_scores(name, many)
  local from, to = plan_many('ZADD', name, many, 2)
  for index = from, to, 2 do check(ARGV[index], 0, TIME_MAX) end
end

-- Plain values: key and value, and with a width of three a time to live.
local function plan_sets(many, width)
  local from, to = take(many * width)
  if problem then return end
  local names = {}
  for index = from, to, width do table.insert(names, key_at(index)) end
  -- As a rule they are new: one look for all.
  local found = redis.call('EXISTS', unpack(names)) == 0 and 'none' or nil
  for index, name in ipairs(names) do
    typed(name, 'string', found)
    if width == 3 then check(ARGV[from + index * width - 1], 1, TIME_MAX) end
  end
  will(function()
    for index, name in ipairs(names) do
      local value = from + (index - 1) * width + 1
      if width == 3 then
        redis.call('SET', name, ARGV[value], 'PX', ARGV[value + 1])
      else
        redis.call('SET', name, ARGV[value])
      end
    end
  end)
end


-- Room for 18 digits and thousands of the largest steps stays below 2^63.
local function check_sum(name, field)
  if types[name] == 'hash' and redis.call('TYPE', name).ok == 'hash' then
    local old = redis.call('HGET', name, field)
    if old and not (string.match(old, '^%-?%d+$') and #old <= 18) then
      problem = problem or ('BADNUMBER in ' .. name .. ' field ' .. field)
    end
  end
end

-- Each reads as many of its kind as it is told.
local read_op = {
  state = function(many) plan_many('HSET', ST, many, 2) end,
  drop = function(many) plan_many('HDEL', ST, many, 1) end,
  timer = function(many) plan_scores(DUE, many) end,
  untimer = function(many) plan_many('ZREM', DUE, many, 1) end,
  set = function(many) plan_sets(many, 2) end,
  setpx = function(many) plan_sets(many, 3) end,
  rank = function(many)
    local name, keep = key('zset'), number(1, COUNT_MAX)
    plan_scores(name, many)
    plan_call('ZREMRANGEBYRANK', name, 0, '-' .. int((tonumber(keep) or 0) + 1))
  end,
}

-- Each reads one of its kind.
local read_one = {
  output = function()
    local inbox, bell = key('stream'), key('string')
    local stage, channel, shard, k, d = arg(), arg(), arg(), arg(), arg()
    will(function()
      append(inbox, shard, now, offset, k, d)
      if channel ~= '' then ring_once(bell, channel, shard) end
      appended[stage] = (appended[stage] or 0) + 1
    end)
  end,
  del = function() plan_call('DEL', key('any')) end,
  hset = function() plan_call('HSET', key('hash'), arg(), arg()) end,
  add = function()
    local name, field, by = key('hash'), arg(), number(-ADD_MAX, ADD_MAX)
    check_sum(name, field)
    plan_call('HINCRBY', name, field, by)
  end,
  unrank = function() plan_call('ZREM', key('zset'), arg()) end,
  append = function()
    local name, keep = key('stream'), number(1, COUNT_MAX)
    plan_call('XADD', name, 'MAXLEN', '~', keep, '*', 'd', arg())
  end,
}

while at < last and not problem do
  local name, many = arg(), tonumber(number(1, MANY_MAX))
  if problem then break end
  if read_op[name] then
    read_op[name](many)
  elseif read_one[name] then
    for _ = 1, many do read_one[name]() end
  else
    problem = 'BADOPERATION ' .. name
  end
end

-- The failed input: dead when it had its tries alone, else alone from now on.
local dead, failed_k, failed_d = false, '', ''
if failed ~= '' then
  dead = (tonumber(redis.call('HGET', TRIES, failed) or '0') or 0) >= tries_max
  if member ~= '' then
    failed_k = member_parts(member)
  else
    local found = redis.call('XRANGE', IN, failed, failed)
    if #found == 0 then problem = problem or ('NOENTRY ' .. failed) else failed_k, failed_d = entry_parts(found[1][2]) end
  end
end
if problem then return { 'refused', problem } end

-- Second pass: nothing below can fail on what was checked above.
for _, step in ipairs(plan) do step() end

solo = math.max(solo - inputs, 0)
if failed ~= '' then
  if dead then
    bury(failed, reason, failed_k, failed_d, member, now, dead_max)
    solo = math.max(solo - 1, 0)
    if member ~= '' then
      redis.call('ZREM', DUE, member)
    else
      cur, entries = failed, entries + 1
    end
  else
    redis.call('HSET', TRIES, 'err:' .. failed, reason)
    solo = math.max(solo, 1)
  end
end
if redis.call('EXISTS', TRIES) == 1 then
  for id in string.gmatch(ARGV[17], '[^ ]+') do redis.call('HDEL', TRIES, id, 'err:' .. id) end
  for index = 1, timers do redis.call('HDEL', TRIES, ARGV[18 + index], 'err:' .. ARGV[18 + index]) end
end

read = read + entries
redis.call('HSET', META, 'cur', cur, 'seq', int(seq + 1), 'open', int(open_left), 'solo', int(solo),
  'read', int(read), 'now', int(now))
redis.call('PEXPIRE', LEASE, lease_ms)
bump('committed:' .. STAGE, inputs)
for stage, many in pairs(appended) do bump('appended:' .. stage, many) end

-- A mirror of the cursor, for autoscalers and people; its failure is nobody's loss.
if entries > 0 then
  local mirrored = redis.pcall('XGROUP', 'SETID', IN, STAGE, cur, 'ENTRIESREAD', int(read))
  if type(mirrored) == 'table' and mirrored.err then
    redis.pcall('XGROUP', 'CREATE', IN, STAGE, cur, 'ENTRIESREAD', int(read))
  end
end
return { 'done', int(seq + 1), int(now), dead and 1 or 0 }
