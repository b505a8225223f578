//! Users in Redis: one hash each, one key for each email so that it is unique, one index by age.
//!
//! Every write is one script, so that no reader and no crash sees half of it.

use uuid::Uuid;

use super::profile::{Profile, User};
use crate::store::{Store, StoreError};

const INDEX: &str = "user:index";
const SEQUENCE: &str = "user:sequence";

const CREATE: &str = r"
if redis.call('SET', KEYS[2], ARGV[1], 'NX') == false then return 'taken' end
redis.call('HSET', KEYS[1], 'username', ARGV[2], 'name', ARGV[3], 'email', ARGV[4])
redis.call('ZADD', KEYS[3], redis.call('INCR', KEYS[4]), ARGV[1])
return 'done'";

// The key of the old email is known to the stored record only.
const UPDATE: &str = r"
local old = redis.call('HGET', KEYS[1], 'email')
if not old then return 'absent' end
local old_key = 'user:email:' .. string.lower(old)
if old_key ~= KEYS[2] then
  if redis.call('SET', KEYS[2], ARGV[1], 'NX') == false then return 'taken' end
  redis.call('DEL', old_key)
end
redis.call('HSET', KEYS[1], 'username', ARGV[2], 'name', ARGV[3], 'email', ARGV[4])
return 'done'";

const DELETE: &str = r"
local email = redis.call('HGET', KEYS[1], 'email')
if not email then return 0 end
redis.call('DEL', KEYS[1], 'user:email:' .. string.lower(email))
redis.call('ZREM', KEYS[2], ARGV[1])
return 1";

const NEWEST: &str = r"
local found = {}
for _, id in ipairs(redis.call('ZREVRANGE', KEYS[1], 0, ARGV[1] - 1)) do
  local user = redis.call('HMGET', 'user:' .. id, 'username', 'name', 'email')
  table.insert(found, {id, user[1], user[2], user[3]})
end
return found";

/// What became of a write.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Written {
    Done,
    /// Another user has the email.
    EmailTaken,
    /// There is no such user to update.
    Absent,
}

/// The users.
#[derive(Clone)]
pub(super) struct Records {
    store: Store,
}

impl Records {
    pub(super) fn new(store: Store) -> Self {
        Self { store }
    }

    pub(super) async fn create(&self, user: &User) -> Result<Written, StoreError> {
        self.write(CREATE, user, &[INDEX, SEQUENCE]).await
    }

    pub(super) async fn update(&self, user: &User) -> Result<Written, StoreError> {
        self.write(UPDATE, user, &[]).await
    }

    async fn write(&self, script: &str, user: &User, more_keys: &[&str]) -> Result<Written, StoreError> {
        let User { id, profile: Profile { username, name, email } } = user;
        let (record, taken) = (record_key(*id), email_key(email));
        let keys: Vec<&str> = [record.as_str(), taken.as_str()].iter().chain(more_keys).copied().collect();
        let (id, username) = (id.to_string(), username.as_deref().unwrap_or_default());
        let written: String = self.store.script(script, &keys, &[&id, username, name, email]).await?;
        Ok(match written.as_str() {
            "done" => Written::Done,
            "taken" => Written::EmailTaken,
            _ => Written::Absent,
        })
    }

    /// Whether there was such a user.
    pub(super) async fn delete(&self, id: Uuid) -> Result<bool, StoreError> {
        self.store.script(DELETE, &[&record_key(id), INDEX], &[&id.to_string()]).await
    }

    pub(super) async fn read(&self, id: Uuid) -> Result<Option<User>, StoreError> {
        let command = redis::cmd("HMGET").arg(record_key(id)).arg(&["username", "name", "email"]).to_owned();
        let (username, name, email): (Option<String>, Option<String>, Option<String>) =
            self.store.query(&command).await?;
        Ok(name.zip(email).map(|(name, email)| user(id, username.unwrap_or_default(), name, email)))
    }

    /// At most `limit` users, the newest first.
    pub(super) async fn newest(&self, limit: usize) -> Result<Vec<User>, StoreError> {
        let found: Vec<(String, String, String, String)> =
            self.store.script(NEWEST, &[INDEX], &[&limit.to_string()]).await?;
        let users = found.into_iter().filter_map(|(id, username, name, email)| {
            Some(user(Uuid::parse_str(&id).ok()?, username, name, email))
        });
        Ok(users.collect())
    }
}

fn user(id: Uuid, username: String, name: String, email: String) -> User {
    let username = Some(username).filter(|username| !username.is_empty());
    User { id, profile: Profile { username, name, email } }
}

fn record_key(id: Uuid) -> String {
    format!("user:{id}")
}

/// Emails that differ in the case of ASCII letters only are the same, here and in the scripts.
fn email_key(email: &str) -> String {
    format!("user:email:{}", email.to_ascii_lowercase())
}
