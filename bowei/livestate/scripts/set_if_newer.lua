-- Replace each value only by a newer one. A value begins with its order, up to the first space; orders of one key are
-- equally long.
--
-- KEYS     the keys
-- ARGV     lifetime in ms (0: none), then the value of each key
-- Returns  how many were set; of the others, what is there is as new or newer
local lifetime_ms = tonumber(ARGV[1])
local set = 0
for i, key in ipairs(KEYS) do
    local value = ARGV[i + 1]
    local there = redis.call('GET', key)
    local width = string.find(value, ' ', 1, true) - 1
    if not there or string.sub(there, 1, width) < string.sub(value, 1, width) then
        if lifetime_ms > 0 then
            redis.call('SET', key, value, 'PX', lifetime_ms)
        else
            redis.call('SET', key, value)
        end
        set = set + 1
    end
end
return set
