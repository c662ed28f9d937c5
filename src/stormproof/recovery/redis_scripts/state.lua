-- What all scripts begin with: the object's state, a table, and the time.
--
-- KEYS: the objects, nearly always one. ARGV: the time, for tests; seconds to keep an object that
-- nobody uses; then what the script says.
--
-- One key holds one object, so that a cluster can place it, and one SET writes it with its expiry.
-- Whatever else is found there, somebody's garbage, counts as nothing and is overwritten.

local function load(key)
  local packed = redis.pcall('GET', key or KEYS[1])
  if type(packed) ~= 'string' then
    return {}
  end
  local fine, state = pcall(cmsgpack.unpack, packed)
  return fine and type(state) == 'table' and state or {}
end

local function save(state, seconds, key)
  local milliseconds = math.ceil((seconds or ARGV[2]) * 1000)
  redis.call('SET', key or KEYS[1], cmsgpack.pack(state), 'PX', milliseconds)
end

-- The server's clock is the one that all callers share. It may be set back or forth. So an object
-- remembers the last time it saw, and lives by the time that passed since, which is never less
-- than none: set back, its time stands still for a moment.
local time = redis.call('TIME')
local seen = tonumber(ARGV[1]) or time[1] + time[2] / 1e6

local function elapsed(state)
  local seconds = math.max(seen - (tonumber(state.seen) or seen), 0)
  state.seen = seen
  return seconds
end

local function exact(number)
  return string.format('%.17g', number)
end
