-- Replace a value only by a newer one.
--
-- KEYS     the key
-- ARGV     order, body, lifetime in ms (0: none)
-- Returns  1 where the value was set, 0 where what is there is as new or newer
local there = redis.call('HGET', KEYS[1], 'order')
if there and there >= ARGV[1] then
    return 0
end
redis.call('HSET', KEYS[1], 'order', ARGV[1], 'body', ARGV[2])
if tonumber(ARGV[3]) > 0 then
    redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return 1
