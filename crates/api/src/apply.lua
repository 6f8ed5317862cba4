-- Compares the version, stores the next one. KEYS[1]: the hash. ARGV: 1 the version expected, or
-- nothing for any; 2 the configuration as JSON. All or nothing.
local stored = redis.call('HGET', KEYS[1], 'version')
local version = tonumber(stored or '0')
if not version then return { 'broken', stored } end
if ARGV[1] ~= '' and tonumber(ARGV[1]) ~= version then return { 'differs', tostring(version) } end
redis.call('HSET', KEYS[1], 'version', version + 1, 'json', ARGV[2])
return { 'done', tostring(version + 1) }
