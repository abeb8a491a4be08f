local key = ARGV[2]

if meta(key) then
    return { record(key) }
end
return {}
