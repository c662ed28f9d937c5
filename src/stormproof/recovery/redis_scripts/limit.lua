-- A limit: see bucket.py, of which this is the shared form.
--
-- A bucket is kept as the seconds until it is full: its debt. Who takes permits ahead of their time
-- waits for them, and who comes later waits longer: so the line of all processes is one number.
--
-- ARGV[3]: what to do: take, charge or ration.
-- ARGV[4]: to take: the longest wait in seconds; to ration: the delay.
-- ARGV[5..]: for each bucket four: seconds for a permit, seconds to fill up, how many permits, and
--   how many more to take if all are there at once.
-- Returns the seconds until they are there, with more than the longest wait none were taken; and
-- whether more were taken (1).

local ROUNDING = 1e-9
local action, seconds = ARGV[3], tonumber(ARGV[4])

local limit = load()
local passed = elapsed(limit)
local debts = type(limit.debts) == 'table' and limit.debts or {}
local asked, ahead, depths = {}, {}, {}
for at = 5, #ARGV, 4 do
  local i = (at - 1) / 4
  debts[i] = math.max((tonumber(debts[i]) or 0) - passed, 0)
  asked[i], depths[i] = ARGV[at] * ARGV[at + 2], tonumber(ARGV[at + 1])
  ahead[i] = ARGV[at] * ARGV[at + 3]
end

local function charge(amounts)
  for i, more in ipairs(amounts) do
    debts[i] = math.max(debts[i] + more, 0)
  end
end

local function wait_for(amounts)
  local wait = 0
  for i, more in ipairs(amounts) do
    wait = math.max(wait, debts[i] + more - depths[i])
  end
  return wait < ROUNDING and 0 or wait
end

local function take()
  local wait = wait_for(asked)
  if wait > seconds then
    return wait, 0
  end
  charge(asked)
  if wait_for(ahead) > 0 then
    return wait, 0
  end
  charge(ahead)
  return wait, 1
end

local function ration()
  for i, left in ipairs(asked) do
    if left < math.huge then
      debts[i] = math.max(debts[i], seconds + math.max(depths[i] - left, 0))
    end
  end
end

local wait, more = ({ take = take, charge = charge, ration = ration })[action](asked)
limit.debts = debts
save(limit, ARGV[2] + math.max(unpack(debts)))
return { exact(wait or 0), more or 0 }
