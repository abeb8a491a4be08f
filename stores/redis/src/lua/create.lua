local key, owner, idempotency, head = ARGV[2], ARGV[3], ARGV[4], ARGV[5]

if not is_live(owner) then
    return { 'lapsed' }
end
local there = meta(key)
if there then
    if there.phase == OPEN and there.fence == owner .. FIRST then
        return { 'created' }
    end
    return { 'exists', record(key) }
end
if idempotency ~= '' then
    local holder = redis.call('GET', name('i:', idempotency))
    local m = holder and meta(holder)
    -- An entry may outlive its operation by the rest of a millisecond.
    if m and m.idempotency == idempotency then
        return { 'exists', record(holder) }
    end
end

local order = redis.call('INCR', name('n', ''))
local m = {
    phase = OPEN,
    cancel = 0,
    fence = owner .. FIRST,
    dies = 0,
    order = order,
    idempotency = idempotency,
}
-- A dead one may be there for the rest of a millisecond, with its expiry.
redis.call('UNLINK', name('o:', key), name('p:', key))
redis.call('HSET', name('o:', key), 'm', pack(m), 'h', head, 't', '')
redis.call('ZADD', name('w:', owner), text(order), key)
if idempotency ~= '' then
    redis.call('SET', name('i:', idempotency), key)
end
return { 'created' }
