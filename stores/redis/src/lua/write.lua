local key, by, tail, retention, claim = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]

local m = meta(key)
if not m then
    return { 'missing' }
end
if m.fence ~= by then
    return { 'fenced' }
end
if m.phase == CLOSED then
    if retention ~= '' and redis.call('HGET', name('o:', key), 't') == tail then
        return { 'applied' }
    end
    return { 'fenced' }
end
if retention == '' then
    redis.call('HSET', name('o:', key), 't', tail)
    return { 'applied' }
end

m.phase = CLOSED
m.dies = now + tonumber(retention)
-- Redis counts milliseconds: it may delete later than `dies`, which `meta` hides, never earlier.
local expires = text(math.ceil(m.dies / 1000))
if m.idempotency ~= '' and redis.call('GET', name('i:', m.idempotency)) == key then
    if claim == 'release' then
        redis.call('DEL', name('i:', m.idempotency))
    else
        redis.call('PEXPIREAT', name('i:', m.idempotency), expires)
    end
end
redis.call('HSET', name('o:', key), 'm', pack(m), 't', tail)
redis.call('PEXPIREAT', name('o:', key), expires)
redis.call('PEXPIREAT', name('p:', key), expires)
redis.call('ZREM', name('w:', m.owner), key)
redis.call('ZREM', name('a:', m.owner), key)
redis.call('SREM', name('c:', m.owner), key)
hint(key)
return { 'applied' }
