-- A retry budget: see budget.py, of which this is the shared form.
--
-- ARGV[3..6]: what to add, the least balance for that, the balance at rest, the window in seconds.
-- Returns the balance after that, and whether it was enough.

local add, least, rest, window = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local state = load()
local left = math.exp(-elapsed(state) / window)
local balance = rest + ((tonumber(state.balance) or rest) - rest) * left
local enough = balance >= tonumber(least)
if enough then
  balance = balance + add
end
state.balance = balance
save(state)
return { exact(balance), enough and 1 or 0 }
