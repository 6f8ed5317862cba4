-- Lists dead letters, nine columns each. ARGV: 5 after this id, 6 how many.
local COLUMNS = { 'stage', 'shard', 'id', 'error', 'k', 'd', 'member', 'at' }
local reply = {}
for _, letter in ipairs(redis.call('XRANGE', DEAD, '(' .. ARGV[5], '+', 'COUNT', ARGV[6])) do
  local values = {}
  for index = 1, #letter[2], 2 do values[letter[2][index]] = letter[2][index + 1] end
  table.insert(reply, letter[1])
  for _, column in ipairs(COLUMNS) do table.insert(reply, values[column] or '') end
end
return reply
