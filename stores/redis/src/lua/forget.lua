local key = ARGV[2]

local m = meta(key)
if m and m.phase == CLOSED then
    if m.idempotency ~= '' and redis.call('GET', name('i:', m.idempotency)) == key then
        redis.call('DEL', name('i:', m.idempotency))
    end
    redis.call('UNLINK', name('o:', key), name('p:', key))
end
return {}
