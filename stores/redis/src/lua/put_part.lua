local key, by, number, part = ARGV[2], ARGV[3], ARGV[4], ARGV[5]

local m = meta(key)
if not m then
    return { 'missing' }
end
if m.fence ~= by or m.phase == CLOSED then
    return { 'fenced' }
end
redis.call('HSET', name('p:', key), number, part)
return { 'applied' }
