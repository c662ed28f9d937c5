-- A limit: see bucket.py, of which this is the shared form.
--
-- A bucket is kept as the seconds until it is full: its debt. Who takes permits ahead of their time
-- waits for them, and who comes later waits longer: so the line of all processes is one number.
--
-- ARGV[3]: what to do: take, charge or ration.
-- ARGV[4]: to take: the longest wait in seconds; to ration: the delay.
-- ARGV[5..]: for each bucket three: seconds for a permit, seconds to fill up, how many permits.
-- Returns the seconds until they are there; with more than the longest wait, none were taken.

local ROUNDING = 1e-9
local action, seconds = ARGV[3], tonumber(ARGV[4])

local limit = load()
local passed = elapsed(limit)
local debts = type(limit.debts) == 'table' and limit.debts or {}
local asked, depths = {}, {}
for at = 5, #ARGV, 3 do
  local i = (at - 2) / 3
  debts[i] = math.max((tonumber(debts[i]) or 0) - passed, 0)
  asked[i], depths[i] = ARGV[at] * ARGV[at + 2], tonumber(ARGV[at + 1])
end

local function charge()
  for i, more in ipairs(asked) do
    debts[i] = math.max(debts[i] + more, 0)
  end
end

local function take()
  local wait = 0
  for i, more in ipairs(asked) do
    wait = math.max(wait, debts[i] + more - depths[i])
  end
  if wait < ROUNDING then
    wait = 0
  end
  if wait <= seconds then
    charge()
  end
  return wait
end

local function ration()
  for i, left in ipairs(asked) do
    if left < math.huge then
      debts[i] = math.max(debts[i], seconds + math.max(depths[i] - left, 0))
    end
  end
end

local wait = ({ take = take, charge = charge, ration = ration })[action]() or 0
limit.debts = debts
save(limit, ARGV[2] + math.max(unpack(debts)))
return exact(wait)
