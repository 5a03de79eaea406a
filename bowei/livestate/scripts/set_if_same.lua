-- Replace a value only where it is still the one that was there.
--
-- KEYS     the key
-- ARGV     the value that was there, the new one
-- Returns  1 where it was replaced, 0 where something else is there, or nothing
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
    return 0
end
redis.call('SET', KEYS[1], ARGV[2])
return 1
