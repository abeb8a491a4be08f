local owner, ttl = ARGV[2], tonumber(ARGV[3])

local lapsed, since = 1, now
if is_live(owner) then
    lapsed, since = 0, (season(owner))
end
redis.call('ZADD', name('leases', ''), text(now + ttl), owner)
redis.call('HSET', name('seasons', ''), owner, struct.pack('>I8I8', since, ttl))
return { lapsed, redis.call('SMEMBERS', name('c:', owner)) }
