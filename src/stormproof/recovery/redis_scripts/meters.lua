-- Limits that one call takes from together: see joint_operations.py.
--
-- Each has two buckets, kept as in limit.lua, and places, which calls hold until they leave or their
-- lease is over.
--
-- KEYS: the limits.
-- ARGV[3]: what to do: enter or leave. ARGV[4]: names the call. ARGV[5]: the lease in seconds.
-- ARGV[6..]: for each limit seven: places (0: any number); for each bucket seconds for a permit,
--   seconds to fill up (0: no such bucket), how many permits.
-- Returns whether the call was let in (1); for each limit the debt of each bucket, and the places that
-- are taken.

local ROUNDING = 1e-9
local action, call, lease = ARGV[3], ARGV[4], tonumber(ARGV[5])

local function caught_up(key)
  local meter = load(key)
  meter.set_back = (tonumber(meter.seen) or seen) > seen
  local passed = elapsed(meter)
  meter.at = (tonumber(meter.at) or 0) + passed
  local debts = type(meter.debts) == 'table' and meter.debts or {}
  meter.debts = {}
  for bucket = 1, 2 do
    meter.debts[bucket] = math.max((tonumber(debts[bucket]) or 0) - passed, 0)
  end
  local leases = type(meter.leases) == 'table' and meter.leases or {}
  meter.leases, meter.taken = {}, 0
  for token, ends in pairs(leases) do
    if (tonumber(ends) or 0) > meter.at then
      meter.leases[token], meter.taken = ends, meter.taken + 1
    end
  end
  return meter
end

local function wanted(i)
  local places, r, r_depth, r_amount, t, t_depth, t_amount =
    unpack(ARGV, 7 * i - 1, 7 * i + 5)
  return tonumber(places), { r * r_amount, t * t_amount }, { tonumber(r_depth), tonumber(t_depth) }
end

local function has_room(meter, places, amounts, depths)
  if places > 0 and meter.taken >= places then
    return false
  end
  for bucket = 1, 2 do
    local over = meter.debts[bucket] + amounts[bucket] - depths[bucket]
    if depths[bucket] > 0 and over > ROUNDING then
      return false
    end
  end
  return true
end

local function charge(meter, amounts)
  for bucket = 1, 2 do
    meter.debts[bucket] = math.max(meter.debts[bucket] + amounts[bucket], 0)
  end
end

local function keep(key, meter)
  local debt = math.max(meter.debts[1], meter.debts[2])
  save({ at = meter.at, seen = meter.seen, debts = meter.debts, leases = meter.leases },
    ARGV[2] + math.max(debt, lease), key)
end

local meters, granted = {}, true
for i, key in ipairs(KEYS) do
  meters[i] = caught_up(key)
  if action == 'enter' then
    granted = has_room(meters[i], wanted(i)) and granted
  end
end

for i, key in ipairs(KEYS) do
  local meter = meters[i]
  if granted then
    local places, amounts = wanted(i)
    charge(meter, amounts)
    if action == 'leave' then
      meter.leases[call] = nil
    elseif places > 0 then
      meter.leases[call] = meter.at + lease
      meter.taken = meter.taken + 1
    end
  end
  -- Who is turned away changes nothing, but that time goes on from where it was set back to.
  if granted or meter.set_back then
    keep(key, meter)
  end
end

local reply = { granted and 1 or 0 }
for _, meter in ipairs(meters) do
  table.insert(reply, exact(meter.debts[1]))
  table.insert(reply, exact(meter.debts[2]))
  table.insert(reply, meter.taken)
end
return reply
