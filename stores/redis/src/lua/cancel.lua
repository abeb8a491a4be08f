local key = ARGV[2]

local m = meta(key)
if not m then
    return {}
end
if m.phase == OPEN and m.cancel == 0 then
    m.cancel = 1
    redis.call('HSET', name('o:', key), 'm', pack(m))
    redis.call('SADD', name('c:', m.owner), key)
    hint(key)
end
return { record(key) }
