//! The scripts that read and write users in Redis, each as one step.
//!
//! KEYS of a write: the record, the index by age, the index by name, then the key of the email and, to create, the
//! sequence. A record keeps its entry of the index by name, so that exactly this one is removed.

/// ARGV: id, username, name, email, entry. Whether it was created; not when the email is taken.
pub(super) const CREATE: &str = r"
if redis.call('SET', KEYS[4], ARGV[1], 'NX') == false then return 0 end
redis.call('HSET', KEYS[1], 'username', ARGV[2], 'name', ARGV[3], 'email', ARGV[4], 'entry', ARGV[5], 'version', 1)
redis.call('ZADD', KEYS[2], redis.call('INCR', KEYS[5]), ARGV[1])
redis.call('ZADD', KEYS[3], 0, ARGV[5])
return 1";

/// ARGV: id, username, name, email, entry, expected versions (see [`super::records`]). What became of it, and the
/// version if it was done.
// The key of the old email is known to the stored record only.
pub(super) const UPDATE: &str = r"
local old = redis.call('HMGET', KEYS[1], 'email', 'entry', 'version')
if not old[1] then return {'absent', 0} end
if ARGV[6] ~= '' and not string.find(ARGV[6], ',' .. old[3] .. ',', 1, true) then return {'differs', 0} end
local old_key = 'user:email:' .. string.lower(old[1])
if old_key ~= KEYS[4] then
  if redis.call('SET', KEYS[4], ARGV[1], 'NX') == false then return {'taken', 0} end
  redis.call('DEL', old_key)
end
if old[2] ~= ARGV[5] then
  redis.call('ZREM', KEYS[3], old[2])
  redis.call('ZADD', KEYS[3], 0, ARGV[5])
end
redis.call('HSET', KEYS[1], 'username', ARGV[2], 'name', ARGV[3], 'email', ARGV[4], 'entry', ARGV[5])
return {'done', redis.call('HINCRBY', KEYS[1], 'version', 1)}";

/// ARGV: id, expected versions.
pub(super) const DELETE: &str = r"
local old = redis.call('HMGET', KEYS[1], 'email', 'entry', 'version')
if not old[1] then return 'absent' end
if ARGV[2] ~= '' and not string.find(ARGV[2], ',' .. old[3] .. ',', 1, true) then return 'differs' end
redis.call('DEL', KEYS[1], 'user:email:' .. string.lower(old[1]))
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], old[2])
return 'done'";

/// KEYS: the index by age. ARGV: the largest score, how many. Rows of id, username, name, email, score.
pub(super) const NEWEST: &str = r"
local rows = {}
local found = redis.call('ZREVRANGEBYSCORE', KEYS[1], ARGV[1], '-inf', 'WITHSCORES', 'LIMIT', 0, ARGV[2])
for at = 1, #found, 2 do
  local user = redis.call('HMGET', 'user:' .. found[at], 'username', 'name', 'email')
  table.insert(rows, {found[at], user[1], user[2], user[3], found[at + 1]})
end
return rows";

/// KEYS: the index by name. ARGV: the smallest entry, the prefix, how many. Rows of id, username, name, email, entry.
// No UTF-8 has the byte 255: all that begins with the prefix is before it. An identifier has 36 characters.
pub(super) const BY_PREFIX: &str = r"
local rows = {}
for _, entry in ipairs(redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], '(' .. ARGV[2] .. '\255', 'LIMIT', 0, ARGV[3])) do
  local id = string.sub(entry, -36)
  local user = redis.call('HMGET', 'user:' .. id, 'username', 'name', 'email')
  table.insert(rows, {id, user[1], user[2], user[3], entry})
end
return rows";
