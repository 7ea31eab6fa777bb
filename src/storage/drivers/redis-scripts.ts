/**
 * What Redis does by itself and all at once: one script for each method of state that writes, or reads more than one key.
 *
 * Everything lies below one hash tag, so in one slot: a value, the group and the alias that point to it and the list of what
 * ends change in one step, on a cluster too. The price is that one node of a cluster holds all of it.
 *
 *     v:KEY     hash   v value, e end (our clock; absent: never), g group, a alias
 *     g:GROUP   zset   keys by their end        a:ALIAS  string  key
 *     s:SET     zset   members by their end     x        zset    `v…` and `s…` that end, by when
 *
 * INVARIANT: whether something is over is decided by the `now` that the caller brings. The life that Redis itself is told
 * (`PEXPIRE`) is a day longer and only clears away what no purge has come to.
 *
 * INVARIANT: the first write of a script that makes anything larger is one that a full Redis refuses, before anything else is
 * changed: it refuses only there, and lets the rest of a script pass.
 */
export const ROOT = '{portico}:'

const PRELUDE = `
local P, now = KEYS[1], tonumber(ARGV[1])
local DAY, LONGEST = 86400000, 315360000000
local function lives(e) return not e or tonumber(e) > now end
local function optional(text) if text ~= '' then return string.sub(text, 2) end end
local function clear_later(key, e)
  redis.call('PEXPIRE', key, string.format('%.0f', math.min(math.max(e - now, 0), LONGEST) + DAY))
end
-- whatever is sorted by its end goes a day after the last of it
local function clear_sorted_later(key)
  local last = redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')[2]
  if not last then return end
  if last == 'inf' then redis.call('PERSIST', key) else clear_later(key, tonumber(last)) end
end
local function unpoint(k, g, a)
  if g then redis.call('ZREM', P..'g:'..g, k) end
  if a and redis.call('GET', P..'a:'..a) == k then redis.call('DEL', P..'a:'..a) end
end
local function drop(k)
  local old = redis.call('HMGET', P..'v:'..k, 'g', 'a')
  redis.call('DEL', P..'v:'..k)
  redis.call('ZREM', P..'x', 'v'..k)
  unpoint(k, old[1], old[2])
end
local function put(k, v, e, g, a)
  local at = P..'v:'..k
  local old = redis.call('HMGET', at, 'g', 'a')
  redis.call('HSET', at, 'v', v)
  unpoint(k, old[1] ~= g and old[1], old[2] ~= a and old[2])
  redis.call('HDEL', at, 'e', 'g', 'a')
  if e then
    redis.call('HSET', at, 'e', e)
    redis.call('ZADD', P..'x', e, 'v'..k)
    clear_later(at, tonumber(e))
  else
    redis.call('PERSIST', at)
    redis.call('ZREM', P..'x', 'v'..k)
  end
  if g then
    redis.call('HSET', at, 'g', g)
    redis.call('ZADD', P..'g:'..g, e or 'inf', k)
    clear_sorted_later(P..'g:'..g)
  end
  if a then
    local holder = redis.call('GET', P..'a:'..a)
    if holder and holder ~= k then redis.call('HDEL', P..'v:'..holder, 'a') end
    redis.call('HSET', at, 'a', a)
    redis.call('SET', P..'a:'..a, k)
    if e then clear_later(P..'a:'..a, tonumber(e)) end
  end
end
local function list_members(set)
  local first = redis.call('ZRANGE', P..'s:'..set, 0, 0, 'WITHSCORES')[2]
  if first then redis.call('ZADD', P..'x', first, 's'..set) else redis.call('ZREM', P..'x', 's'..set) end
  clear_sorted_later(P..'s:'..set)
end
`

const BODIES = Object.freeze({
  getByAlias: `
    local k = redis.call('GET', P..'a:'..ARGV[2])
    if not k then return false end
    local found = redis.call('HMGET', P..'v:'..k, 'v', 'e', 'a')
    if not found[1] or found[3] ~= ARGV[2] or not lives(found[2]) then return false end
    return { k, found[1] }`,
  group: `
    local answer = {}
    for _, k in ipairs(redis.call('ZRANGE', P..'g:'..ARGV[2], 0, -1)) do
      local found = redis.call('HMGET', P..'v:'..k, 'v', 'e', 'g')
      if found[1] and found[3] == ARGV[2] and lives(found[2]) then
        answer[#answer + 1] = k
        answer[#answer + 1] = found[1]
      end
    end
    return answer`,
  set: `put(ARGV[2], ARGV[3], optional(ARGV[4]), optional(ARGV[5]), optional(ARGV[6])) return 1`,
  add: `
    local k, a = ARGV[2], optional(ARGV[6])
    local there = redis.call('HMGET', P..'v:'..k, 'v', 'e')
    if there[1] and lives(there[2]) then return 0 end
    local holder = a and redis.call('GET', P..'a:'..a)
    if holder and holder ~= k then
      local held = redis.call('HMGET', P..'v:'..holder, 'v', 'e')
      if held[1] and lives(held[2]) then return 0 end
    end
    put(k, ARGV[3], optional(ARGV[4]), optional(ARGV[5]), a)
    return 1`,
  take: `
    local found = redis.call('HMGET', P..'v:'..ARGV[2], 'v', 'e')
    if not found[1] then return false end
    drop(ARGV[2])
    if not lives(found[2]) then return false end
    return found[1]`,
  // what was there instead is answered, and nothing where nothing was
  swap: `
    local at = P..'v:'..ARGV[2]
    local found = redis.call('HMGET', at, 'v', 'e')
    if not found[1] or not lives(found[2]) then return false end
    if found[1] ~= ARGV[3] then return { 0, found[1] } end
    redis.call('HSET', at, 'v', ARGV[4])
    return { 1 }`,
  swapWhole: `
    local found = redis.call('HMGET', P..'v:'..ARGV[2], 'v', 'e')
    if not found[1] or not lives(found[2]) then return false end
    if found[1] ~= ARGV[3] then return { 0, found[1] } end
    put(ARGV[2], ARGV[4], optional(ARGV[5]), optional(ARGV[6]), optional(ARGV[7]))
    return { 1 }`,
  increment: `
    local at = P..'v:'..ARGV[2]
    local found = redis.call('HMGET', at, 'v', 'e')
    if found[1] and lives(found[2]) then
      if not string.match(found[1], '^%-?%d+$') then
        redis.call('HSET', at, 'v', string.match(found[1], '^%s*%+?(%-?%d+)') or '0')
      end
      return tostring(redis.call('HINCRBY', at, 'v', ARGV[3]))
    end
    put(ARGV[2], ARGV[3], ARGV[4])
    return ARGV[3]`,
  delete: `
    local found = redis.call('HMGET', P..'v:'..ARGV[2], 'v', 'e')
    if not found[1] then return 0 end
    drop(ARGV[2])
    return lives(found[2]) and 1 or 0`,
  deleteGroup: `
    local count = 0
    for _, k in ipairs(redis.call('ZRANGE', P..'g:'..ARGV[2], 0, -1)) do
      local found = redis.call('HMGET', P..'v:'..k, 'v', 'e', 'g')
      if not found[1] or found[3] ~= ARGV[2] then
        redis.call('ZREM', P..'g:'..ARGV[2], k)
      elseif lives(found[2]) then
        drop(k)
        count = count + 1
      end
    end
    return count`,
  addMember: `
    local at = P..'s:'..ARGV[2]
    local old = redis.call('ZSCORE', at, ARGV[3])
    local living = old and lives(old)
    if not living or tonumber(ARGV[4]) > tonumber(old) then
      redis.call('ZADD', at, ARGV[4], ARGV[3])
      list_members(ARGV[2])
    end
    return living and 0 or 1`,
  removeMember: `
    local at = P..'s:'..ARGV[2]
    local old = redis.call('ZSCORE', at, ARGV[3])
    if not old then return 0 end
    redis.call('ZREM', at, ARGV[3])
    list_members(ARGV[2])
    return lives(old) and 1 or 0`,
  purge: `
    local left = tonumber(ARGV[2])
    local ended = redis.call('ZRANGEBYSCORE', P..'x', '-inf', ARGV[1], 'LIMIT', 0, left)
    for _, one in ipairs(ended) do
      if left <= 0 then break end
      local name = string.sub(one, 2)
      if string.sub(one, 1, 1) == 'v' then
        drop(name)
        left = left - 1
      else
        local members = redis.call('ZRANGEBYSCORE', P..'s:'..name, '-inf', ARGV[1], 'LIMIT', 0, left)
        for _, member in ipairs(members) do redis.call('ZREM', P..'s:'..name, member) end
        list_members(name)
        left = left - #members
      end
    end
    return tonumber(ARGV[2]) - left`,
})

export type ScriptName = keyof typeof BODIES

export const SCRIPTS: Readonly<Record<ScriptName, string>> = Object.freeze(
  Object.fromEntries(Object.entries(BODIES).map(([name, body]) => [name, PRELUDE + body])) as Record<
    ScriptName,
    string
  >,
)
