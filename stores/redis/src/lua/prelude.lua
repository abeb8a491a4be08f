-- What every script begins with. All keys of a namespace are in one hash slot, that of KEYS[1], so
-- further keys are made from its prefix:
--
--   leases       sorted set: owner by the end of its lease
--   seasons      hash: owner -> since when it has been live, and its ttl
--   n            how many operations were ever created
--   o:KEY        hash: m (below), h (head), t (tail); expires once it is closed
--   p:KEY        hash: number -> part of what it is closed with; expires as it does
--   i:KEY        the operation that has this idempotency key
--   w:OWNER      sorted set: the owner's open operations, in the order of their creation
--   a:OWNER      sorted set: those of them that it adopted
--   c:OWNER      set: those of them that somebody asked to be cancelled
--
-- `hints` is a channel, in which the keys of operations are said that were closed, or are to
-- be cancelled.
--
-- Times are microseconds; all of them stay below 2^53, up to which Lua's numbers are exact.
local prefix = ARGV[1]
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]

local FORMAT = 1
local OPEN, CLOSED = 0, 1
local FIRST = string.rep('\0', 7) .. '\1'

local function name(kind, of)
    return prefix .. kind .. of
end

local function text(number)
    return string.format('%.0f', number)
end

local function pack(m)
    local fixed = struct.pack('>BBBc24I8I8', FORMAT, m.phase, m.cancel, m.fence, m.dies, m.order)
    return fixed .. m.idempotency
end

-- The table behind `m`, or nil where there is no operation, or a dead one.
local function unpacked(key, bytes)
    if not bytes then
        return nil
    end
    if #bytes < 43 or string.byte(bytes, 1) ~= FORMAT then
        local hex = string.gsub(key, '.', function(c) return string.format('%02x', string.byte(c)) end)
        error({ err = 'CORRUPT ' .. hex })
    end
    local m = {}
    local _
    _, m.phase, m.cancel, m.fence, m.dies, m.order = struct.unpack('>BBBc24I8I8', bytes)
    m.idempotency = string.sub(bytes, 44)
    m.owner = string.sub(m.fence, 1, 16)
    if m.phase == CLOSED and m.dies <= now then
        return nil
    end
    return m
end

local function meta(key)
    return unpacked(key, redis.call('HGET', name('o:', key), 'm'))
end

-- What a caller is told of an operation: never called for one that `meta` does not find.
local function record(key)
    local fields = redis.call('HMGET', name('o:', key), 'm', 'h', 't')
    local m = unpacked(key, fields[1])
    local dies_in = -1
    if m.phase == CLOSED then
        dies_in = m.dies - now
    end
    return { key, m.fence, m.cancel, dies_in, fields[2] or '', fields[3] or '' }
end

local function is_live(owner)
    local ends = redis.call('ZSCORE', name('leases', ''), owner)
    return ends and now < tonumber(ends)
end

-- For whoever listens, and for speed alone: where it is not allowed, nothing else fails.
local function hint(key)
    redis.pcall('PUBLISH', name('hints', ''), key)
end

-- Since when an owner has been live, or was, and the ttl of its last heartbeat.
local function season(owner)
    return struct.unpack('>I8I8', redis.call('HGET', name('seasons', ''), owner))
end
