-- What every script shares: the layout of a stage's keys in one shard, the clock, the bell.
-- Keys are named by name.rs alone; no script builds one. KEYS[12..] belong to the script.
local IN, LEASE, BELL, META = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local TRIES, ST, DUE, DEAD = KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local CNT, CLOCK, SHARDS = KEYS[9], KEYS[10], KEYS[11]
local STAGE, SHARD, CHANNEL, BELL_MS = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

-- Arguments unpacked into one call: Lua's stack takes some 8,000.
local MANY_MAX = 1000

local HOME_TYPES = {
  'stream', 'string', 'string', 'hash', 'hash', 'hash', 'zset', 'stream', 'hash', 'string', 'set',
}

-- Redis does not undo a script that fails half way: types are checked before the first write.
local function type_clash(key, want)
  local found = redis.call('TYPE', key).ok
  if found ~= 'none' and found ~= want then
    return 'WRONGTYPE ' .. key .. ' holds a ' .. found .. ', expected a ' .. want
  end
  return nil
end

local function home_clash()
  for index, want in ipairs(HOME_TYPES) do
    local clash = type_clash(KEYS[index], want)
    if clash then return clash end
  end
  return nil
end

-- Numbers above 14 digits would be written in exponent form by `..`.
local function int(number) return string.format('%.0f', number) end

-- Milliseconds since the epoch and the offset, which only the host's test mode sets.
local function clock()
  local time = redis.call('TIME')
  local offset = tonumber(redis.call('GET', CLOCK) or '0') or 0
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + offset, offset
end

-- Counters never fail a script: a planted text in one is not worth losing work over.
local function bump(field, by) redis.pcall('HINCRBY', CNT, field, by or 1) end

-- Appends an entry; with the clock offset the id carries the shifted time, as timers do.
local function append(inbox, shard, now, offset, k, d)
  redis.call('SADD', SHARDS, shard)
  if offset ~= 0 then
    local id = redis.pcall('XADD', inbox, int(now) .. '-*', 'k', k, 'd', d)
    if type(id) == 'string' then return id end
    -- The offset was taken back: Redis goes on from the last id by itself.
  end
  return redis.call('XADD', inbox, '*', 'k', k, 'd', d)
end

-- After an append: only when no bell is under way.
local function ring_once(bell, channel, shard)
  if redis.call('SET', bell, '1', 'NX', 'PX', BELL_MS) then redis.call('PUBLISH', channel, shard) end
end

-- Stopping with work left, and ticks: regardless of the flag.
local function ring_always()
  redis.call('SET', BELL, '1', 'PX', BELL_MS)
  redis.call('PUBLISH', CHANNEL, SHARD)
end

local function id_parts(id)
  local ms, n = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(n)
end

local function cursor() return redis.call('HGET', META, 'cur') or '0-0' end

local function stage_now()
  local real, offset = clock()
  return math.max(real, tonumber(redis.call('HGET', META, 'now') or '0') or 0), offset
end

local function has_work(now)
  if #redis.call('XRANGE', IN, '(' .. cursor(), '+', 'COUNT', 1) > 0 then return true end
  return #redis.call('ZRANGEBYSCORE', DUE, '-inf', int(now), 'LIMIT', 0, 1) > 0
end

-- Entries ever appended, less those consumed.
local function unread()
  if redis.call('EXISTS', IN) == 0 then return 0 end
  local info = redis.call('XINFO', 'STREAM', IN)
  for index = 1, #info, 2 do
    if info[index] == 'entries-added' then
      return info[index + 1] - (tonumber(redis.call('HGET', META, 'read') or '0') or 0)
    end
  end
  return redis.call('XLEN', IN)
end

local function entry_parts(values)
  if #values == 4 and values[1] == 'k' and values[3] == 'd' then return values[2], values[4] end
  local k, d = '', ''
  for index = 1, #values, 2 do
    if values[index] == 'k' then k = values[index + 1] end
    if values[index] == 'd' then d = values[index + 1] end
  end
  return k, d
end

-- A timer's member is `<fields>|<name>`; fields never hold a bare `|`.
local function member_parts(member)
  local k, name = string.match(member, '^([^|]*)|(.*)$')
  return k or '', name or member
end

-- Columns as read by dead.lua; `member` is empty for an entry.
local function bury(id, reason, k, d, member, now, dead_max)
  redis.call('XADD', DEAD, 'MAXLEN', '~', dead_max, '*', 'stage', STAGE, 'shard', SHARD, 'id', id,
    'error', reason, 'k', k, 'd', d, 'member', member, 'at', int(now))
  redis.call('HDEL', TRIES, id, 'err:' .. id)
  bump('dead:' .. STAGE)
end
