//! Users in Redis: one hash each, one key for each email so that it is unique, one index by age and one by name.
//!
//! Every write is one script, so that no reader and no crash sees half of it. A deleted user leaves nothing behind.

use uuid::Uuid;

use super::conditions::Tags;
use super::profile::{Profile, User};
use super::scripts;
use crate::store::{Store, StoreError};

const BY_AGE: &str = "user:index";
const BY_NAME: &str = "user:names";
const SEQUENCE: &str = "user:sequence";

/// The version of a user that was just created; each update adds one.
pub(super) const FIRST_VERSION: u64 = 1;

/// What became of an update.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Updated {
    Done {
        version: u64,
    },
    /// Another user has the email.
    EmailTaken,
    /// There is no such user.
    Absent,
    /// Its version is none of those expected.
    VersionDiffers,
}

/// What became of a deletion.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Deleted {
    Done,
    /// There is no such user.
    Absent,
    /// Its version is none of those expected.
    VersionDiffers,
}

/// Some users in the order that was asked for.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) users: Vec<User>,
    /// The position of the last user here, when more follow.
    pub(super) next: Option<String>,
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

    /// Whether the user was created; not when another has the email.
    pub(super) async fn create(&self, user: &User) -> Result<bool, StoreError> {
        self.write(scripts::CREATE, user, &[SEQUENCE], &[]).await
    }

    /// Replaces the profile of a user, only in a version that is `expected` if anything is.
    pub(super) async fn update(&self, user: &User, expected: Option<&Tags>) -> Result<Updated, StoreError> {
        let (outcome, version): (String, u64) =
            self.write(scripts::UPDATE, user, &[], &[&versions(expected)]).await?;
        Ok(match outcome.as_str() {
            "done" => Updated::Done { version },
            "taken" => Updated::EmailTaken,
            "differs" => Updated::VersionDiffers,
            _ => Updated::Absent,
        })
    }

    async fn write<T: redis::FromRedisValue>(
        &self,
        script: &str,
        user: &User,
        more_keys: &[&str],
        more_arguments: &[&str],
    ) -> Result<T, StoreError> {
        let User { id, profile: Profile { username, name, email } } = user;
        let (record, email_key) = (record_key(*id), email_key(email));
        let (id, entry) = (id.to_string(), name_entry(name, *id));
        let username = username.as_deref().unwrap_or_default();
        let keys = [&[&record, BY_AGE, BY_NAME, &email_key], more_keys].concat();
        let arguments = [&[&id, username, name, email, &entry], more_arguments].concat();
        self.store.script(script, &keys, &arguments).await
    }

    /// Deletes a user, only in a version that is `expected` if anything is.
    pub(super) async fn delete(&self, id: Uuid, expected: Option<&Tags>) -> Result<Deleted, StoreError> {
        let keys = [&record_key(id), BY_AGE, BY_NAME];
        let arguments = [&*id.to_string(), &versions(expected)];
        let outcome: String = self.store.script(scripts::DELETE, &keys, &arguments).await?;
        Ok(match outcome.as_str() {
            "done" => Deleted::Done,
            "differs" => Deleted::VersionDiffers,
            _ => Deleted::Absent,
        })
    }

    /// A user and its version.
    pub(super) async fn read(&self, id: Uuid) -> Result<Option<(User, u64)>, StoreError> {
        let fields = &["username", "name", "email", "version"];
        let command = redis::cmd("HMGET").arg(record_key(id)).arg(fields).to_owned();
        let (username, name, email, version): (Option<String>, Option<String>, Option<String>, Option<u64>) =
            self.store.query(&command).await?;
        let profile = name.zip(email);
        Ok(profile
            .zip(version)
            .map(|((name, email), version)| (user(id, username.unwrap_or_default(), name, email), version)))
    }

    /// At most `limit` users, the newest first, beginning behind the user that `after` is the position of.
    pub(super) async fn newest(&self, limit: usize, after: Option<u64>) -> Result<Page, StoreError> {
        let largest = after.map_or("+inf".to_owned(), |after| format!("({after}"));
        let rows = self.store.script(scripts::NEWEST, &[BY_AGE], &[&largest, &one_more(limit)]).await?;
        Ok(page(rows, limit))
    }

    /// At most `limit` users whose names begin with `prefix`, which is [`folded`], by name, beginning behind the user
    /// that `after` is the position of.
    pub(super) async fn by_prefix(
        &self,
        prefix: &str,
        limit: usize,
        after: Option<&str>,
    ) -> Result<Page, StoreError> {
        let smallest = after.map_or_else(|| format!("[{prefix}"), |after| format!("({after}"));
        let arguments = [&smallest, prefix, &one_more(limit)];
        let rows = self.store.script(scripts::BY_PREFIX, &[BY_NAME], &arguments).await?;
        Ok(page(rows, limit))
    }
}

/// A name as it is searched: upper and lower case are the same. Letter by letter, so that what begins a name also begins
/// the folded one.
pub(super) fn folded(name: &str) -> String {
    name.chars().flat_map(char::to_lowercase).collect()
}

/// By name first; names have no control characters, so no name is a prefix of another one's entry.
fn name_entry(name: &str, id: Uuid) -> String {
    format!("{}\0{id}", folded(name))
}

/// For the scripts: empty when any will do, else a list with commas around each.
fn versions(expected: Option<&Tags>) -> String {
    match expected {
        None | Some(Tags::Any) => String::new(),
        Some(Tags::Listed(tags)) => format!(",{},", tags.join(",")),
    }
}

/// One more than asked for tells whether there are more.
fn one_more(limit: usize) -> String {
    (limit + 1).to_string()
}

type Row = (String, String, String, String, String);

fn page(mut rows: Vec<Row>, limit: usize) -> Page {
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|(.., position)| position.clone());
    let users = rows.into_iter().filter_map(|(id, username, name, email, _)| {
        Some(user(Uuid::parse_str(&id).ok()?, username, name, email))
    });
    Page { users: users.collect(), next }
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
