local by, limit = ARGV[2], tonumber(ARGV[3])

-- What cannot be read is skipped and left as it is: one bad record does not block the others.
local function readable(key)
    local fine, m = pcall(meta, key)
    return fine, m
end

local found = {}
for _, key in ipairs(redis.call('ZRANGE', name('a:', by), 0, -1)) do
    local fine, m = readable(key)
    if fine and m then
        found[#found + 1] = record(key)
    end
end

-- The oldest operations of one owner, `limit` of them at most.
local function oldest(owner, into)
    local page, from, taken = math.min(limit, 256), 0, 0
    while taken < limit do
        local keys = redis.call('ZRANGE', name('w:', owner), text(from), text(from + page - 1))
        for _, key in ipairs(keys) do
            local fine, m = readable(key)
            if fine and m and taken < limit then
                taken = taken + 1
                into[#into + 1] = { key = key, m = m }
            end
        end
        from = from + #keys
        if #keys < page then
            break
        end
    end
    return from == 0
end

local function may_adopt()
    if limit == 0 or not is_live(by) then
        return false
    end
    local since, ttl = season(by)
    return since + ttl <= now
end

if not may_adopt() then
    return found
end

local orphans = {}
local late = redis.call('ZRANGEBYSCORE', name('leases', ''), '-inf', text(now), 'WITHSCORES')
for i = 1, #late, 2 do
    local owner, ended = late[i], tonumber(late[i + 1])
    local _, ttl = season(owner)
    local is_dead = now - ended >= ttl
    if is_dead and oldest(owner, orphans) then
        -- With nothing left to adopt: the same as an owner never seen.
        redis.call('ZREM', name('leases', ''), owner)
        redis.call('HDEL', name('seasons', ''), owner)
    end
end
table.sort(orphans, function(a, b) return a.m.order < b.m.order end)

for i = 1, math.min(limit, #orphans) do
    local key, m = orphans[i].key, orphans[i].m
    local before = m.owner
    local epoch = struct.unpack('>I8', string.sub(m.fence, 17))
    m.fence = by .. struct.pack('>I8', epoch + 1)
    redis.call('HSET', name('o:', key), 'm', pack(m))
    redis.call('ZREM', name('w:', before), key)
    redis.call('ZREM', name('a:', before), key)
    redis.call('SREM', name('c:', before), key)
    redis.call('ZADD', name('w:', by), text(m.order), key)
    redis.call('ZADD', name('a:', by), text(m.order), key)
    if m.cancel == 1 then
        redis.call('SADD', name('c:', by), key)
    end
    found[#found + 1] = record(key)
end
return found
