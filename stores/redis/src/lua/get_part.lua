local key, number = ARGV[2], ARGV[3]

local m = meta(key)
if m and m.phase == CLOSED then
    -- An empty list where there is no such part.
    return { redis.call('HGET', name('p:', key), number) or nil }
end
return {}
