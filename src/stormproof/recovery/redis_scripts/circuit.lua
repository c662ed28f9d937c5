-- A circuit: see circuit.py, of which this is the shared form.
--
-- ARGV[3]: what to do: enter, look, leave, abandon, rest or force.
-- ARGV[4..7]: the probe's token, empty if the call is none; the generation of its pass; whether it
--   failed or was slow (1); the state to force.
-- ARGV[8..11]: the first break, how it grows, the longest one, and the part of it that is drawn.
-- ARGV[12..14]: probes at once, successes to close, seconds of a probe's lease.
-- ARGV[15]: seconds for which the callee asked to be left alone.
-- ARGV[16]: how many calls have succeeded in that generation, and were not told of.
-- ARGV[17..]: for each rule five: the rate, the minimum of calls, the window in seconds, or if that
--   is 0 in calls, and whether the call that leaves is marked (1).
-- Returns the state, whether it has just begun, the seconds until a call may be made, the
-- generation, the seconds that are left of a rest, and whether the last call that was told of had
-- failed (1).

local action, token, generation, failed, forced = unpack(ARGV, 3, 7)
local probes, successes_to_close, lease, asked, untold = unpack(ARGV, 12, 16)
local BUCKETS = 10
local MONTH = 30 * 86400

local circuit = load()
circuit.at = (circuit.at or 0) + elapsed(circuit)
local created, moved = not circuit.state, false

local function next_break()
  local first, factor, longest = unpack(ARGV, 8, 10)
  local last = circuit.pause or 0
  return last > 0 and math.min(last * factor, longest) or tonumber(first)
end

-- A new period: the one place where the state changes. Its generation is a time, so that a circuit
-- which was forgotten, with all of Redis maybe, does not take an old pass for one of its own.
local function begin(state)
  local pause = 0
  if state == 'open' then
    pause = next_break()
  elseif state == 'half_open' then
    pause = circuit.pause
  end
  circuit = {
    seen = circuit.seen,
    at = circuit.at,
    began = circuit.at,
    generation = math.max(math.floor(seen * 1e6), (circuit.generation or 0) + 1),
    state = state,
    pause = pause,
    opens_at = circuit.at + pause * ARGV[11],
    rests_until = circuit.rests_until,
    successes = 0,
    leases = {},
    windows = {},
  }
  moved = true
end

local function rest_left()
  return math.max((circuit.rests_until or 0) - circuit.at, 0)
end

local function keep()
  save(circuit, circuit.state == 'isolated' and MONTH or math.max(ARGV[2], rest_left()))
end

local function report(wait)
  if not wait then
    local waits = { open = circuit.opens_at - circuit.at, isolated = math.huge }
    wait = math.max(waits[circuit.state] or 0, 0)
  end
  local generation, left = exact(circuit.generation), exact(rest_left())
  local troubled = circuit.troubled and 1 or 0
  return { circuit.state, moved and 1 or 0, exact(wait), generation, left, troubled }
end

local function take_slot()
  local taken, free_at = 0, math.huge
  for holder, ends in pairs(circuit.leases) do
    if ends <= circuit.at then
      circuit.leases[holder] = nil
    else
      taken, free_at = taken + 1, math.min(free_at, ends)
    end
  end
  if taken >= tonumber(probes) then
    return free_at - circuit.at
  end
  circuit.leases[token] = circuit.at + lease
  return 0
end

local function in_calls(window, size, before, after)
  local marks = (before .. (window.marks or '') .. after):sub(-size)
  window.marks = marks
  local _, marked = marks:gsub('1', '')
  return #marks, marked
end

local function in_seconds(window, seconds, more, mark)
  local number = math.floor((circuit.at - circuit.began) * BUCKETS / seconds)
  local slot = number % BUCKETS + 1
  local bucket = window[slot]
  if not bucket or bucket[1] ~= number then
    bucket = { number, 0, 0 }
    window[slot] = bucket
  end
  bucket[2], bucket[3] = bucket[2] + more, bucket[3] + mark
  local calls, marked = 0, 0
  for _, other in pairs(window) do
    if other[1] > number - BUCKETS then
      calls, marked = calls + other[2], marked + other[3]
    end
  end
  return calls, marked
end

-- Counts the calls that were not told of, and then the one that leaves, if one does. Every rule sees
-- every call. Processes with other rules have other windows.
local function too_many(leaves)
  local any = false
  for at = 17, #ARGV, 5 do
    local rate, minimum, seconds, size, mark = unpack(ARGV, at, at + 4)
    local name = table.concat({ at, seconds, size }, ' ')
    local window = circuit.windows[name] or {}
    circuit.windows[name] = window
    local calls, marked
    if tonumber(seconds) > 0 then
      calls, marked = in_seconds(window, seconds, untold + leaves, mark * leaves)
    else
      local good, last = ('0'):rep(math.min(untold, size)), mark:rep(leaves)
      if last == '1' and tonumber(rate) == 1 then
        -- Nobody knows whether they ended the failures in a row of others, or came before.
        calls, marked = in_calls(window, size, good, last)
      else
        calls, marked = in_calls(window, size, '', good .. last)
      end
    end
    local met = calls >= tonumber(minimum) and marked / calls >= tonumber(rate)
    any = any or (met and mark == '1')
  end
  return any
end

local function catch_up()
  if circuit.state == 'closed' and circuit.generation == tonumber(generation) then
    circuit.troubled = false
    too_many(0)
  end
end

local function enter()
  if circuit.state == 'closed' and not created and untold == '0' then
    return report()  -- the usual case writes nothing
  end
  catch_up()
  if circuit.state == 'open' and circuit.at >= circuit.opens_at then
    begin('half_open')
  end
  local wait = circuit.state == 'half_open' and take_slot() or nil
  keep()
  return report(wait)
end

local function look()
  if created or untold ~= '0' then
    catch_up()
    keep()  -- what is told of it has to stay true
  end
  return report()
end

local function leave()
  if circuit.generation ~= tonumber(generation) then
    return report()
  end
  if token == '' then
    circuit.troubled = failed == '1'
    if too_many(1) then
      begin('open')
    end
  elseif failed == '1' then
    begin('open')
  else
    circuit.leases[token] = nil
    circuit.successes = circuit.successes + 1
    if circuit.successes >= tonumber(successes_to_close) then
      begin('closed')
    end
  end
  keep()
  return report()
end

local function abandon()
  circuit.leases[token] = nil
  keep()
  return report()
end

-- The rest that is asked for last holds: the callee knows best.
local function rest()
  circuit.rests_until = tonumber(asked) > 0 and circuit.at + asked or nil
  keep()
  return report()
end

local function force()
  local before = circuit.state
  begin(forced)
  moved = before ~= forced
  keep()
  return report()
end

if created then
  begin('closed')
  moved = false
end
local actions = { enter = enter, look = look, leave = leave, abandon = abandon, rest = rest }
return (actions[action] or force)()
