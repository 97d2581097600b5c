//! Events: what happened to connected accounts, for readers that follow them.
//!
//! The store writes an event in the transaction of the change. A reader asks for the events behind a cursor, and
//! waits until there are any.

use std::sync::Arc;
use std::time::Duration;

use proxy_execute_protocol::{Error, ErrorKind, Event, EventAccount, EventPage, Result, quoted};
use proxy_execute_store::{EventCursors, Store, StoredEvent};

use crate::clock::rfc3339;
use crate::lifecycle::Lifecycle;

/// How many events a page has.
const PAGE: u32 = 100;

/// How often expiries are announced, and events deleted.
const LOOKED_AFTER_EVERY: Duration = Duration::from_secs(60);

/// The events of a gateway.
#[derive(Debug, Clone)]
pub struct Events {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) lifecycle: Lifecycle,
}

impl Events {
    /// Returns the events behind a cursor, and waits until there is one. Without a cursor, returns at once, with
    /// the cursor of the latest event.
    ///
    /// # Errors
    /// `InvalidRequest` for a cursor that cannot be used, `EventsForgotten` for one that is too old, and those of
    /// the store.
    pub async fn next(&self, after: Option<&str>) -> Result<EventPage> {
        let after = after.map(read_cursor).transpose()?;
        loop {
            // The wait begins before the look, so that no event is missed in between.
            let may_have_events = self.store.may_have_events();
            let cursors = self.store.number_events().await?;
            let Some(after) = after else {
                return Ok(EventPage { cursor: cursors.last.to_string(), ..EventPage::default() });
            };
            check_cursor(after, cursors)?;
            let events = self.store.events(after, PAGE).await?;
            // Events may have been deleted since the first look.
            let may_skip = events.first().is_some_and(|event| event.cursor > after + 1);
            if may_skip && self.store.number_events().await?.forgotten > after {
                return Err(forgotten(after));
            }
            if let Some(last) = events.last() {
                let cursor = last.cursor.to_string();
                return Ok(EventPage {
                    items: events.into_iter().map(shown).collect(),
                    cursor,
                    is_last: false,
                });
            }
            tokio::select! {
                () = self.lifecycle.closing.cancelled() => {
                    return Ok(EventPage { cursor: after.to_string(), is_last: true, ..EventPage::default() });
                }
                () = may_have_events => {}
            }
        }
    }

    /// Announces expiries and deletes old events, until the gateway closes.
    pub(crate) async fn look_after(self) {
        loop {
            if let Some(_under_way) = self.lifecycle.under_way() {
                let done = async {
                    self.store.announce_expiries().await?;
                    self.store.number_events().await
                };
                if let Err(error) = done.await {
                    tracing::warn!(%error, "expiries could not be announced");
                }
            }
            if !self.lifecycle.pause(LOOKED_AFTER_EVERY).await {
                return;
            }
        }
    }
}

pub(crate) fn shown(event: StoredEvent) -> Event {
    Event {
        cursor: event.cursor.to_string(),
        id: event.id,
        event_type: event.event_type,
        at: rfc3339(event.at),
        reason: event.reason,
        connected_account: EventAccount {
            id: event.account_id,
            user_id: event.user_id,
            toolkit: event.toolkit,
            auth_config_id: event.auth_config_id,
            auth_scheme: event.auth_scheme,
            alias: event.alias,
            word_id: event.word_id,
            status: event.status,
            is_disabled: event.is_disabled,
            account_type: event.account_type,
            expires_at: event.expires_at.map(rfc3339),
            created_at: rfc3339(event.created_at),
            updated_at: rfc3339(event.updated_at),
        },
    }
}

/// Checks that no event behind a cursor is missing.
///
/// # Errors
/// `EventsForgotten` for a cursor that is too old, `InvalidRequest` for one that was not reached yet.
pub(crate) fn check_cursor(after: i64, cursors: EventCursors) -> Result<()> {
    if after < cursors.forgotten {
        return Err(forgotten(after));
    }
    if after > cursors.last {
        return Err(cursor_error(&after.to_string()));
    }
    Ok(())
}

/// Reads the cursor of an event.
///
/// # Errors
/// `InvalidRequest` for another text.
pub(crate) fn read_cursor(text: &str) -> Result<i64> {
    let is_number = text.len() <= 19 && !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number).ok_or_else(|| cursor_error(text))
}

fn cursor_error(text: &str) -> Error {
    let message = format!("after: `{}` is no cursor of this store's events.", quoted(text));
    Error::of_field(ErrorKind::InvalidRequest, "after", message)
        .fix("Use the cursor of an event that this gateway returned.")
}

fn forgotten(after: i64) -> Error {
    let message = format!("The cursor {after} is too old: events behind it were deleted.");
    Error::of_field(ErrorKind::EventsForgotten, "after", message)
        .fix("List the connected accounts to learn their state, and follow the events without `after`.")
}
