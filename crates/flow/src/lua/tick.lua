-- Rings a stage of a shard that has work and no worker, and trims what was consumed.
-- ARGV: 5 how long consumed entries stay, in ms; '' only looks.
local clash = home_clash()
if clash then return { 'refused', clash } end
local now = stage_now()
local open = tonumber(redis.call('HGET', META, 'open') or '0') or 0
local waiting = unread()
local due = redis.call('ZCOUNT', DUE, '-inf', int(now))
local oldest = redis.call('XRANGE', IN, '(' .. cursor(), '+', 'COUNT', 1)
local age = 0
if oldest[1] then age = math.max(now - (id_parts(oldest[1][1])), 0) end
local rung, trimmed = 0, 0

if ARGV[5] ~= '' then
  if redis.call('EXISTS', LEASE) == 0 and (open > 0 or oldest[1] or due > 0) then
    ring_always()
    rung = 1
  end
  -- An autoscaler must see the lag of an inbox nobody has read yet; later it exists already.
  if redis.call('EXISTS', IN) == 1 then
    local read = redis.call('HGET', META, 'read') or '0'
    redis.pcall('XGROUP', 'CREATE', IN, STAGE, cursor(), 'ENTRIESREAD', read)
  end
  -- Never past the cursor; `~` frees whole nodes only, which is cheap.
  local ms, n = id_parts(cursor())
  local horizon = now - tonumber(ARGV[5])
  if ms > 0 or n > 0 then
    local minid = int(horizon) .. '-0'
    if ms < horizon then minid = int(ms) .. '-' .. int(n + 1) end
    trimmed = redis.call('XTRIM', IN, 'MINID', '~', minid)
  end
end
return { 'ticked', rung, waiting, due, open, int(age), trimmed }
