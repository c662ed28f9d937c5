-- Accounts that one call spends from together: see joint_operations.py.
--
-- An account is what had been spent when it began here, as far as anybody knew, and what was since.
--
-- KEYS: the accounts. ARGV[3]: what to do: spend or settle. ARGV[4]: the amount.
-- To spend, ARGV[5]: by which name accounts begin; ARGV[6..]: for each account six: its limit,
--   seconds to keep it, by which name the caller knows it, how often it had been spent from when he
--   last heard of it, what had been spent by then, what he owes.
-- Returns whether the amount is counted (1); for each account its name, how often it was spent from,
--   and what is spent.

local action, amount, begin = ARGV[3], tonumber(ARGV[4]), ARGV[5]

local function found(key)
  local account = load(key)
  local base, since = tonumber(account.base), tonumber(account.since)
  return base and since and {
    begun = tostring(account.begun), turn = tonumber(account.turn) or 0, base = base, since = since
  }
end

local function change(account, more)
  account.since = math.max(account.since + more, -account.base)
end

if action == 'settle' then
  for _, key in ipairs(KEYS) do
    local account, left = found(key), redis.call('PTTL', key)
    if account and left > 0 then
      change(account, amount)
      save(account, left / 1000, key)
    end
  end
  return { 1 }
end

-- Less than the caller has heard says that the store went back in time: it was killed before all was on
-- its disk, or it is another that had not followed. Then the account begins anew with what is left.
local function checked(account, name, turn)
  if account.begun == name and account.turn < turn then
    return { begun = begin, turn = turn, base = account.base + account.since, since = 0 }
  end
  return account
end

-- Another name than the caller knows says that the account was lost: all that is counted since is not
-- in what he knows. To one who has not seen it, his books may tell of calls that are counted already.
local function learn(account, name, known)
  if account.begun == name then
    return
  end
  if name == '' then
    known = known - account.since
  end
  account.base = math.max(account.base, known)
end

local accounts, granted = {}, true
for i, key in ipairs(KEYS) do
  local limit, _, name, turn, known, owed = unpack(ARGV, 6 * i, 6 * i + 5)
  local account = found(key) or { begun = begin, turn = 0, base = 0, since = 0 }
  account = checked(account, name, tonumber(turn))
  learn(account, name, tonumber(known))
  change(account, owed)
  accounts[i] = account
  granted = granted and account.base + account.since + amount <= tonumber(limit)
end

local reply = { granted and 1 or 0 }
for i, key in ipairs(KEYS) do
  local account = accounts[i]
  if granted then
    change(account, amount)
  end
  account.turn = account.turn + 1
  save(account, tonumber(ARGV[6 * i + 1]), key)
  table.insert(reply, account.begun)
  table.insert(reply, account.turn)
  table.insert(reply, exact(account.base + account.since))
end
return reply
