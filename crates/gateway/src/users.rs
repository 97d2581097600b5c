//! Users: everything that a gateway has of a user, exported and deleted.

use std::sync::Arc;

use proxy_execute_protocol::{
    AccountType, CallFilter, DeletedUser, Error, ErrorKind, GivenAcl, ListUserRecords, Result, UserRecord,
    UserRecordKind, UserRecords,
};
use proxy_execute_store::{AccountChange, AccountFilter, PageAsked, Store, StoredAccount};
use serde::Serialize;
use serde_json::value::to_raw_value;

use crate::account::Accounts;
use crate::bounds;
use crate::events::shown;
use crate::files::Files;
use crate::page::read_limit;
use crate::record::Recorder;
use crate::request::require;
use crate::session::Sessions;
use crate::tokens::Tokens;

/// The size of a page of records, and its limit.
const DEFAULT_LIMIT: u32 = 100;
const MOST: u32 = 1_000;

/// How many accounts are read at once.
const ACCOUNTS_AT_ONCE: u32 = 100;

/// The users of a gateway. It has no list of them: a user is an id that callers name.
#[derive(Debug, Clone)]
pub struct Users {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) sessions: Sessions,
    pub(crate) accounts: Accounts,
    pub(crate) tokens: Tokens,
    pub(crate) files: Arc<Files>,
    pub(crate) recorder: Recorder,
}

/// A place in the records of a user: behind the record of a kind that this position names.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    Accounts(Option<(i64, i64)>),
    Sessions(Option<String>),
    Calls(Option<i64>),
    Events(i64),
}

impl Place {
    fn read(cursor: &str) -> Option<Self> {
        let (kind, position) = cursor.split_once('.')?;
        let number = || position.parse().ok();
        Some(match kind {
            "accounts" => {
                let (at, seq) = position.split_once('.')?;
                Self::Accounts(Some((at.parse().ok()?, seq.parse().ok()?)))
            }
            "sessions" => Self::Sessions(Some(position.to_owned()).filter(|id| !id.is_empty())),
            "calls" if position.is_empty() => Self::Calls(None),
            "calls" => Self::Calls(Some(number()?)),
            "events" => Self::Events(number()?),
            _ => return None,
        })
    }

    fn cursor(&self) -> String {
        match self {
            Self::Accounts(after) => {
                let (at, seq) = after.unwrap_or_default();
                format!("accounts.{at}.{seq}")
            }
            Self::Sessions(after) => format!("sessions.{}", after.as_deref().unwrap_or_default()),
            Self::Calls(before) => format!("calls.{}", before.map(|id| id.to_string()).unwrap_or_default()),
            Self::Events(after) => format!("events.{after}"),
        }
    }
}

impl Users {
    /// Deletes what the gateway has of a user, and asks the providers to revoke the tokens.
    ///
    /// The steps are no transaction. A deletion that fails or is cut off can be made again.
    ///
    /// # Errors
    /// `InvalidRequest` for an id that no user can have, and those of the store.
    pub async fn delete(&self, user_id: &str) -> Result<DeletedUser> {
        check(user_id)?;
        // Sessions come first, so that no call begins with an account that is about to go.
        let sessions = self.store.delete_sessions_of_user(user_id).await?;
        let mut deleted = DeletedUser { user_id: user_id.to_owned(), sessions, ..DeletedUser::default() };
        self.delete_accounts(&mut deleted).await?;
        deleted.shared_accounts = self.no_longer_allow(user_id).await?;
        deleted.files = self.files.delete_of_user(user_id).await?;
        deleted.calls = self.recorder.forget_user(user_id).await?;
        // An event gets its cursor first, so that no reader waits for one that is gone.
        self.store.number_events().await?;
        deleted.events = self.store.delete_events_of_user(user_id).await?;
        Ok(deleted)
    }

    async fn delete_accounts(&self, deleted: &mut DeletedUser) -> Result<()> {
        loop {
            let accounts = self.accounts_of(&deleted.user_id, None, ACCOUNTS_AT_ONCE).await?;
            if accounts.is_empty() {
                return Ok(());
            }
            for account in accounts {
                match self.tokens.delete_account(&account.id, true).await {
                    Ok(done) => {
                        deleted.connected_accounts += 1;
                        deleted.revoked_tokens += done.revoked_tokens.map_or(0, |tokens| tokens.len() as u64);
                        let failures = done.not_revoked.unwrap_or_default();
                        let failures = failures.into_iter().map(|why| format!("{}: {why}", account.id));
                        deleted.not_revoked.extend(failures);
                    }
                    // Another caller has deleted it.
                    Err(error) if error.kind() == ErrorKind::AccountNotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }

    /// Takes a user out of the lists of users that SHARED accounts allow. Returns how many accounts had the user.
    ///
    /// The lists of users that an account does not allow stay: without them, the id could use the account again.
    async fn no_longer_allow(&self, user_id: &str) -> Result<u64> {
        let mut changed = 0;
        let mut after = None;
        loop {
            let filter = AccountFilter {
                account_type: Some(AccountType::Shared),
                oldest_first: true,
                page: PageAsked { after, limit: ACCOUNTS_AT_ONCE },
                ..AccountFilter::default()
            };
            let mut accounts = self.store.accounts(&filter).await?.rows;
            let is_last = accounts.len() <= ACCOUNTS_AT_ONCE as usize;
            accounts.truncate(ACCOUNTS_AT_ONCE as usize);
            after = accounts.last().map(|account| (account.created_at, account.seq));
            for account in accounts {
                let mut allowed = account.acl.allowed_user_ids.0;
                let before = allowed.len();
                allowed.retain(|id| id != user_id);
                if allowed.len() < before {
                    let acl = GivenAcl { allowed_user_ids: Some(allowed), ..GivenAcl::default() };
                    let change = AccountChange { acl, ..AccountChange::default() };
                    changed += u64::from(self.store.update_account(&account.id, &change).await?);
                }
            }
            if is_last {
                return Ok(changed);
            }
        }
    }

    /// Lists what the gateway has of a user: accounts without their secrets, sessions, calls and events.
    ///
    /// # Errors
    /// `InvalidRequest` that names the parameter that cannot be used.
    pub async fn records(&self, user_id: &str, request: ListUserRecords) -> Result<UserRecords> {
        check(user_id)?;
        let limit = read_limit(request.limit, DEFAULT_LIMIT, MOST)?;
        let mut place = match request.cursor {
            None => Place::Accounts(None),
            Some(cursor) => Place::read(&cursor).ok_or_else(|| {
                let message = "cursor: is not a `next_cursor` of this list.";
                Error::of_field(ErrorKind::InvalidRequest, "cursor", message)
            })?,
        };
        loop {
            let (items, next) = self.page(user_id, place, limit).await?;
            match next {
                Some(next) if items.is_empty() => place = next,
                next => return Ok(UserRecords { items, next_cursor: next.map(|place| place.cursor()) }),
            }
        }
    }

    /// Returns the records of one kind, and where the records behind them begin.
    async fn page(
        &self,
        user_id: &str,
        place: Place,
        limit: u32,
    ) -> Result<(Vec<UserRecord>, Option<Place>)> {
        let most = limit as usize;
        Ok(match place {
            Place::Accounts(after) => {
                let mut accounts = self.accounts_of(user_id, after, limit).await?;
                let is_last = accounts.len() <= most;
                accounts.truncate(most);
                let last = accounts.last().map(|account| (account.created_at, account.seq));
                let accounts = accounts.into_iter().map(|account| self.accounts.shown(account));
                let next = if is_last { Place::Sessions(None) } else { Place::Accounts(last) };
                (records(UserRecordKind::ConnectedAccount, accounts), Some(next))
            }
            Place::Sessions(after) => {
                let sessions = self.sessions.of_user(user_id, after.as_deref(), limit).await?;
                let last = sessions.get(most - 1).map(|session| session.session_id.clone());
                let next = last.map_or(Place::Calls(None), |last| Place::Sessions(Some(last)));
                (records(UserRecordKind::Session, sessions), Some(next))
            }
            Place::Calls(before) => {
                let user_id = Some(user_id.to_owned());
                let filter = CallFilter { user_id, before, ..CallFilter::newest(limit) };
                let calls = self.recorder.list(&filter).await?;
                let next = calls.get(most - 1).map_or(Place::Events(0), |call| Place::Calls(Some(call.id)));
                (records(UserRecordKind::Call, calls), Some(next))
            }
            Place::Events(after) => {
                self.store.number_events().await?;
                let events = self.store.events_of_user(user_id, after, limit).await?;
                let next = events.get(most - 1).map(|event| Place::Events(event.cursor));
                (records(UserRecordKind::Event, events.into_iter().map(shown)), next)
            }
        })
    }

    /// Lists accounts of a user, oldest first; one more than the limit if there are more.
    async fn accounts_of(
        &self,
        user_id: &str,
        after: Option<(i64, i64)>,
        limit: u32,
    ) -> Result<Vec<StoredAccount>> {
        let filter = AccountFilter {
            user_ids: vec![user_id.to_owned()],
            oldest_first: true,
            page: PageAsked { after, limit },
            ..AccountFilter::default()
        };
        Ok(self.store.accounts(&filter).await?.rows)
    }
}

fn check(user_id: &str) -> Result<()> {
    require(Some(user_id), "user_id")?;
    bounds::length(user_id, bounds::LONGEST_USER_ID, "user_id")
}

fn records<T: Serialize>(kind: UserRecordKind, shown: impl IntoIterator<Item = T>) -> Vec<UserRecord> {
    let record = |item: T| UserRecord {
        kind,
        record: to_raw_value(&item).expect("the responses of resources can be written as JSON"),
    };
    shown.into_iter().map(record).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        for place in [
            Place::Accounts(Some((-1, 2))),
            Place::Sessions(None),
            Place::Sessions(Some("trs_a.b".to_owned())),
            Place::Calls(None),
            Place::Calls(Some(3)),
            Place::Events(0),
        ] {
            assert_eq!(Place::read(&place.cursor()), Some(place));
        }
        for foreign in ["", "accounts", "accounts.1", "accounts.a.b", "calls.x", "events.", "links.1"] {
            assert_eq!(Place::read(foreign), None, "{foreign}");
        }
    }
}
