-- Commits a batch, or the front part of one: everything is parsed and checked, then everything
-- is written. ARGV: 5 token, 6 commit number, 7 lease in ms, 8 inputs still open after this,
-- 9 cursor ('' stays), 10 entries consumed, 11 inputs consumed, 12 failed input ('' none), 13 its error,
-- 14 its tries before it is dead (0 at once), 15 its timer member ('' for an entry),
-- 16 dead letters kept, 17 number of ids whose tries end, the ids, then the operations.
-- KEYS[12..]: the keys that operations name by their position.
local clash = home_clash()
if clash then return { 'refused', clash } end
local token, expected, lease_ms = ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])
local open_left, cur = tonumber(ARGV[8]), ARGV[9]
local entries, inputs = tonumber(ARGV[10]), tonumber(ARGV[11])
local failed, reason, tries_max, member = ARGV[12], ARGV[13], tonumber(ARGV[14]), ARGV[15]
local dead_max, ended = tonumber(ARGV[16]), tonumber(ARGV[17])

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
if not (solo and read and lease_ms and open_left and entries and inputs and tries_max and dead_max and ended)
  or (cur ~= '' and not id_parts(cur)) then
  return { 'refused', 'BADNUMBER in the head of a commit' }
end
if cur == '' then cur = meta[1] or '0-0' end
local now, offset = stage_now()

-- First pass: read the operations into a plan. A problem found anywhere refuses it all.
local at, problem, plan, types = 17 + ended, nil, {}, {}
local appended = {}

local function arg()
  at = at + 1
  if not ARGV[at] then problem = problem or 'SHORT operation list' end
  return ARGV[at] or ''
end

local function number(low, high)
  local text = arg()
  local value = string.match(text, '^%-?%d+$') and tonumber(text)
  if not value or value < low or value > high then
    problem = problem or ('BADNUMBER ' .. text)
    return '0'
  end
  return text
end

local function key(want)
  local name = KEYS[tonumber(arg()) or 0]
  if not name then
    problem = problem or 'BADKEY position'
    return IN
  end
  local found = types[name] or redis.call('TYPE', name).ok
  if found ~= 'none' and want ~= 'any' and found ~= want then
    problem = problem or ('WRONGTYPE ' .. name .. ' holds a ' .. found .. ', expected a ' .. want)
  end
  types[name] = (want == 'any') and 'none' or want
  return name
end

local function plan_call(...) table.insert(plan, { ... }) end

local TIME_MAX, COUNT_MAX, ADD_MAX = 9007199254740991, 4294967295, 1000000000000000

-- Room for 18 digits and thousands of the largest steps stays below 2^63.
local function check_sum(name, field)
  if types[name] == 'hash' and redis.call('TYPE', name).ok == 'hash' then
    local old = redis.call('HGET', name, field)
    if old and not (string.match(old, '^%-?%d+$') and #old <= 18) then
      problem = problem or ('BADNUMBER in ' .. name .. ' field ' .. field)
    end
  end
end

local read_op = {
  state = function() plan_call('HSET', ST, arg(), arg()) end,
  drop = function() plan_call('HDEL', ST, arg()) end,
  timer = function() plan_call('ZADD', DUE, number(0, TIME_MAX), arg()) end,
  untimer = function() plan_call('ZREM', DUE, arg()) end,
  output = function()
    local out = { output = true, inbox = key('stream'), bell = key('string') }
    out.stage, out.channel, out.shard, out.k, out.d = arg(), arg(), arg(), arg(), arg()
    table.insert(plan, out)
  end,
  set = function() plan_call('SET', key('string'), arg()) end,
  setpx = function() plan_call('SET', key('string'), arg(), 'PX', number(1, TIME_MAX)) end,
  del = function() plan_call('DEL', key('any')) end,
  hset = function() plan_call('HSET', key('hash'), arg(), arg()) end,
  add = function()
    local name, field, by = key('hash'), arg(), number(-ADD_MAX, ADD_MAX)
    check_sum(name, field)
    plan_call('HINCRBY', name, field, by)
  end,
  rank = function()
    local name, score, who, keep = key('zset'), number(0, TIME_MAX), arg(), number(1, COUNT_MAX)
    plan_call('ZADD', name, score, who)
    plan_call('ZREMRANGEBYRANK', name, 0, '-' .. int(tonumber(keep) + 1))
  end,
  unrank = function() plan_call('ZREM', key('zset'), arg()) end,
  append = function()
    local name, keep = key('stream'), number(1, COUNT_MAX)
    plan_call('XADD', name, 'MAXLEN', '~', keep, '*', 'd', arg())
  end,
}

while at < #ARGV and not problem do
  local name = arg()
  if read_op[name] then
    read_op[name]()
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
for _, step in ipairs(plan) do
  if step.output then
    append(step.inbox, step.shard, now, offset, step.k, step.d)
    ring_once(step.bell, step.channel, step.shard)
    appended[step.stage] = (appended[step.stage] or 0) + 1
  else
    redis.call(unpack(step))
  end
end

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
if ended > 0 and redis.call('EXISTS', TRIES) == 1 then
  for index = 1, ended do redis.call('HDEL', TRIES, ARGV[17 + index], 'err:' .. ARGV[17 + index]) end
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
