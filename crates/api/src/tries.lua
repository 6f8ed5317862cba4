-- Counts a try of a body and says whether the plug-in is to be asked.
-- KEYS: the tries of this body, the counters.
-- ARGV: tries at most, how long they are remembered in milliseconds, the counter's name.
-- Gives `ask` or `given-up`, and the id of the letter that was laid before ('' none).
local tries = redis.call('HINCRBY', KEYS[1], 'tries', 1)
if tries == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
if tries > tonumber(ARGV[1]) then return { 'given-up', '' } end
redis.pcall('HINCRBY', KEYS[2], ARGV[3], 1)
return { 'ask', redis.call('HGET', KEYS[1], 'letter') or '' }
