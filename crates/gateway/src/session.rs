//! Sessions: a user, the toolkits they may call, and their pinned accounts (`docs/wire.md`).

mod toolkits;

use std::sync::Arc;

use proxy_execute_protocol::{
    AccountType, Advice, CreateSession, DeletedSession, Error, ErrorKind, Mcp, Result, Session,
    SessionConfig, ToolkitFilter, UpdateSession, quoted,
};
use proxy_execute_store::{Clock, Store, StoredSession};
use serde_json::{Map, Value, json};

use crate::account;
use crate::auth_config::AuthConfigs;
use crate::request::require;
use crate::restriction::names_something;
use crate::toolkit::Catalogue;
use crate::{bounds, id};

/// The sessions of a gateway.
#[derive(Debug, Clone)]
pub struct Sessions {
    store: Arc<dyn Store>,
    clock: Clock,
    ends: SessionEnds,
    catalogue: Arc<Catalogue>,
    auth_configs: AuthConfigs,
}

impl Sessions {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        clock: Clock,
        ends: SessionEnds,
        catalogue: Arc<Catalogue>,
        auth_configs: AuthConfigs,
    ) -> Self {
        Self { store, clock, ends, catalogue, auth_configs }
    }

    /// Creates a session.
    pub async fn create(&self, request: CreateSession) -> Result<Session> {
        require(Some(&request.user_id), "user_id")?;
        bounds::length(&request.user_id, bounds::LONGEST_USER_ID, "user_id")?;
        let mut request = request;
        self.check(&request.user_id, &mut request.config, |_| true).await?;
        let session = StoredSession {
            id: id::random("trs"),
            config: request.config,
            user_id: request.user_id,
            version: 1,
            created_at: self.clock.now(),
            used_at: self.clock.now(),
        };
        self.store.insert_session(&session).await?;
        Ok(answer(&session))
    }

    /// Returns a session.
    pub async fn get(&self, id: &str) -> Result<Session> {
        Ok(answer(&*self.load(id).await?))
    }

    /// Changes a session. The change applies from the next call on.
    pub async fn update(&self, id: &str, request: UpdateSession) -> Result<Session> {
        let mut session = Arc::unwrap_or_clone(self.load(id).await?);
        let version = session.version.unsigned_abs();
        if let Some(expected) = request.expected_config_version.filter(|expected| *expected != version) {
            let message = format!("Session {id} has config_version {version}, not {expected} as expected.");
            return Err(Error::of_field(ErrorKind::Conflict, "expected_config_version", message)
                .fix("Read the session again, then repeat the change."));
        }
        let given: Vec<String> = request.changes.keys().cloned().collect();
        session.config = request.apply(&session.config)?;
        // The checks skip parts that this request does not change: they may have become invalid since.
        let is_given = |part: &str| given.iter().any(|name| name == part);
        self.check(&session.user_id, &mut session.config, is_given).await?;
        if !self.store.update_session(&session).await? {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("Session {id} was changed by another call meanwhile."),
            )
            .fix("Read it again, then repeat the change."));
        }
        session.version += 1;
        Ok(answer(&session))
    }

    /// Deletes a session.
    pub async fn delete(&self, id: &str) -> Result<DeletedSession> {
        if self.store.delete_session(id).await? {
            Ok(DeletedSession { session_id: id.to_owned(), deleted: true })
        } else {
            Err(not_found(id))
        }
    }

    /// Returns the session of a call, and notes at intervals that it is used.
    pub(crate) async fn load(&self, id: &str) -> Result<Arc<StoredSession>> {
        let session = self.store.session(id).await?.ok_or_else(|| not_found(id))?;
        let at = self.clock.now();
        if self.ends.has_ended(&session, at) {
            return Err(ended(id));
        }
        // A note that fails does not refuse the call: the session only ends earlier.
        if self.ends.is_note_due(&session, at)
            && let Err(error) = self.store.touch_session(id).await
        {
            tracing::warn!(session = id, %error, "the last use of a session could not be recorded");
        }
        Ok(session)
    }

    /// Deletes sessions that have ended, until none is left.
    pub(crate) async fn delete_ended(&self) -> Result<()> {
        let at = self.clock.now();
        let (created, used) = (self.ends.lifetime.map(|lifetime| at - lifetime), self.ends.last_use(at));
        if created.is_some() || used.is_some() {
            while self.store.delete_ended_sessions(created, used).await? > 0 {}
        }
        Ok(())
    }

    /// Lists the sessions of a user by id.
    pub(crate) async fn of_user(
        &self,
        user_id: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Session>> {
        Ok(self.store.sessions_of_user(user_id, after, limit).await?.iter().map(answer).collect())
    }

    /// Checks a session's configuration, and resolves its pins.
    ///
    /// Toolkits and auth configs must exist. Pins must be usable accounts of the same user, or SHARED accounts whose
    /// ACL allows the user. Most checks cover only the given parts. A pin may be an alias or a word id; the session
    /// stores the account's id.
    async fn check(
        &self,
        user_id: &str,
        config: &mut SessionConfig,
        is_given: impl Fn(&str) -> bool,
    ) -> Result<()> {
        bounds::session(config)?;
        refuse_restrictions(config, &is_given)?;
        refuse_tools(config.experimental.as_ref())?;
        if config.instant.as_ref().is_some_and(names_something) {
            let message = "`instant`: a gateway has no credentials of its own that calls could use.";
            return Err(Error::of_field(ErrorKind::Unsupported, "instant", message)
                .fix("Leave it out, and connect accounts of the user."));
        }
        if let Some(ToolkitFilter::Enable(slugs) | ToolkitFilter::Disable(slugs)) = &config.toolkits {
            for slug in slugs {
                self.catalogue.get(slug)?;
            }
        }
        let several_allowed = config.multi_account.as_ref().is_some_and(|multi| multi["enable"] == true);
        for (toolkit, id) in config.auth_configs.iter().flatten().filter(|_| is_given("auth_configs")) {
            self.catalogue.get(toolkit)?;
            let found = self.auth_configs.usable(id).await?;
            if found.toolkit != *toolkit {
                return Err(Error::of_field(
                    ErrorKind::InvalidSession,
                    format!("auth_configs.{toolkit}"),
                    format!(
                        "auth_configs.{toolkit}: auth config `{}` is of toolkit `{}`.",
                        quoted(id),
                        found.toolkit
                    ),
                ));
            }
        }
        for (toolkit, pins) in config.connected_accounts.iter_mut().flatten() {
            self.catalogue.get(toolkit)?;
            let field = format!("connected_accounts.{toolkit}");
            let invalid = |message: String| Error::of_field(ErrorKind::InvalidPinnedAccount, &field, message);
            if pins.len() != 1 && !several_allowed {
                return Err(invalid(format!(
                    "connected_accounts.{toolkit}: names {} accounts; without multi_account it takes exactly one.",
                    pins.len()
                )));
            }
            if !is_given("connected_accounts") {
                continue;
            }
            let mut shared: Vec<String> = Vec::new();
            for pin in pins {
                let mut account = self.store.account(pin).await?;
                if account.is_none() {
                    account = self.store.account_by_name(user_id, toolkit, pin).await?;
                }
                let mut advice = None;
                let problem = match account {
                    None => "does not exist",
                    Some(account) if !account::admits(&account, user_id) => match account.account_type {
                        AccountType::Private => "belongs to another user",
                        AccountType::Shared => "is SHARED, and its ACL does not allow the user",
                    },
                    Some(account) if account.toolkit != *toolkit => "is of another toolkit",
                    Some(account) if account.is_disabled => {
                        advice = Some(Advice::EnableAccount(account.id));
                        "is disabled"
                    }
                    Some(account) => {
                        if account.account_type == AccountType::Shared && !shared.contains(&account.id) {
                            shared.push(account.id.clone());
                        }
                        *pin = account.id;
                        continue;
                    }
                };
                let error =
                    invalid(format!("connected_accounts.{toolkit}: account `{}` {problem}.", quoted(pin)));
                return Err(match advice {
                    Some(advice) => error.advise(advice),
                    None => error,
                });
            }
            if shared.len() > 1 {
                return Err(several_shared(toolkit, &shared));
            }
        }
        Ok(())
    }
}

/// When sessions end, in milliseconds; never without a value.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct SessionEnds {
    /// After their creation.
    pub(crate) lifetime: Option<i64>,
    /// After their last use.
    pub(crate) idle: Option<i64>,
}

impl SessionEnds {
    /// The uses of a session are noted once in this part of the time that it may be idle.
    const NOTES: i64 = 10;

    fn has_ended(&self, session: &StoredSession, at: i64) -> bool {
        self.lifetime.is_some_and(|lifetime| session.created_at < at - lifetime)
            || self.last_use(at).is_some_and(|last_use| session.used_at < last_use)
    }

    /// Returns the noted last use of a session that ends at this time. The note may be older than the use.
    fn last_use(&self, at: i64) -> Option<i64> {
        self.idle.map(|idle| at - idle - idle / Self::NOTES)
    }

    fn is_note_due(&self, session: &StoredSession, at: i64) -> bool {
        // After the clock was set back, the note is in the future.
        self.idle.is_some_and(|idle| !(0..=idle / Self::NOTES).contains(&(at - session.used_at)))
    }
}

fn several_shared(toolkit: &str, accounts: &[String]) -> Error {
    let message = format!(
        "Toolkit \"{toolkit}\" has {} SHARED connections pinned ({}). At most one SHARED connection is allowed per \
         toolkit in a session.",
        accounts.len(),
        first_of(accounts)
    );
    Error::of_field(ErrorKind::SeveralSharedAccounts, format!("connected_accounts.{toolkit}"), message)
}

/// Refuses a toolkit that the session does not allow, before any look-up.
pub(crate) fn check_allowed(session: &StoredSession, toolkit: &str) -> Result<()> {
    let Some(filter) = session.config.toolkits.as_ref().filter(|filter| !filter.allows(toolkit)) else {
        return Ok(());
    };
    let (id, toolkit) = (&session.id, quoted(toolkit));
    let rule = match filter {
        ToolkitFilter::Enable(slugs) => format!("allows {}", first_of(slugs)),
        ToolkitFilter::Disable(slugs) => format!("allows all but {}", first_of(slugs)),
    };
    Err(Error::new(
        ErrorKind::ToolkitNotAllowed,
        format!("[Session Restriction] Toolkit '{toolkit}' is not allowed: session {id} {rule}."),
    )
    .fix("Name the toolkit when the session is created, or add it with session.update()."))
}

/// Lists the first names. There may be many.
fn first_of(slugs: &[String]) -> String {
    const SHOWN: usize = 20;
    let shown = slugs.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match slugs.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn not_found(id: &str) -> Error {
    Error::new(ErrorKind::SessionNotFound, format!("Session `{}` was deleted, or never existed.", quoted(id)))
        .fix("Create one with composio.create().")
}

fn ended(id: &str) -> Error {
    let message =
        format!("Session `{}` has ended: its lifetime is over, or it was not used for long.", quoted(id));
    Error::new(ErrorKind::SessionNotFound, message).fix("Create one with composio.create().")
}

/// Refuses restrictions that the gateway does not enforce: the session would allow more than the caller asked
/// for.
fn refuse_restrictions(config: &SessionConfig, is_given: impl Fn(&str) -> bool) -> Result<()> {
    let given = |name, value| Option::as_ref(value).filter(|_| is_given(name));
    let restricted = given("tags", &config.tags)
        .filter(|tags| names_something(tags))
        .map(|_| "tags".to_owned())
        .or_else(|| given("tools", &config.tools).and_then(restricted_toolkit))
        .or_else(|| {
            given("hooks", &config.hooks).filter(|hooks| names_something(hooks)).map(|_| "hooks".to_owned())
        })
        .or_else(|| given("experimental", &config.experimental).and_then(restriction_of_experiments));
    let Some(part) = restricted else { return Ok(()) };
    let message = format!(
        "`{}` would restrict the session, and a gateway does not enforce it: a call may use any method and path.",
        quoted(&part)
    );
    Err(Error::of_field(ErrorKind::InvalidSession, part, message)
        .fix("Leave it out, and restrict the session with `toolkits` and with pinned accounts."))
}

/// Returns the first toolkit that is restricted to some of its tools.
fn restricted_toolkit(tools: &Value) -> Option<String> {
    let Value::Object(toolkits) = tools else { return names_something(tools).then(|| "tools".to_owned()) };
    let restricts = |choice: &Value| {
        // A list names the only tools that may be used. An empty list allows none.
        choice.is_array()
            || choice.get("enable").is_some_and(|tools| !tools.is_null())
            || names_something(choice)
    };
    toolkits.iter().find(|(_, choice)| restricts(choice)).map(|(toolkit, _)| format!("tools.{toolkit}"))
}

fn restriction_of_experiments(experimental: &Value) -> Option<String> {
    let allows_all = |permissions: &Value| {
        let default = &permissions["default"];
        (default.is_null() || default == "allow_all") && !names_something(&permissions["overrides"])
    };
    let key = if !allows_all(&experimental["permissions"]) {
        "permissions"
    } else if names_something(&experimental["restrict_egress_to_composio"]) {
        "restrict_egress_to_composio"
    } else if names_something(&experimental["session_config_id"]) {
        "session_config_id"
    } else {
        return None;
    };
    Some(format!("experimental.{key}"))
}

/// Refuses custom tools, which the session would have to run.
fn refuse_tools(experimental: Option<&Value>) -> Result<()> {
    let is_given = |name: &&str| experimental.is_some_and(|given| names_something(&given[*name]));
    let Some(name) = ["custom_tools", "custom_toolkits"].into_iter().find(is_given) else { return Ok(()) };
    let message = format!("`experimental.{name}`: a gateway runs no tools, so a session cannot have any.");
    Err(Error::of_field(ErrorKind::Unsupported, format!("experimental.{name}"), message)
        .fix("Leave it out, run the tools in your program, and let them call APIs with proxy_execute."))
}

/// Builds the response (`docs/wire.md`). Some parts have other names than in the request. Every part that
/// SDKs read is present.
fn answer(session: &StoredSession) -> Session {
    let mut echo = Map::new();
    echo.insert("user_id".to_owned(), json!(session.user_id));
    echo.insert("manage_connections".to_owned(), json!({ "enabled": true }));
    echo.insert("execute".to_owned(), json!({ "enable_multi_execute": false }));
    echo.insert("search".to_owned(), json!({ "enable": false }));
    echo.insert("preload".to_owned(), json!({ "tools": [] }));
    // Instant calls use the vendor's own credentials, and a gateway has none.
    echo.insert("instant".to_owned(), json!(false));
    let config = serde_json::to_value(&session.config).expect("a configuration is made of JSON values");
    if let Value::Object(config) = config {
        for (key, value) in config {
            echo.insert(key.clone(), echoed(&key, value));
        }
    }
    Session {
        session_id: session.id.clone(),
        mcp: Mcp { kind: "http".to_owned(), url: String::new() },
        tool_router_tools: Vec::new(),
        config_version: session.version.unsigned_abs(),
        config: Value::Object(echo),
        warnings: None,
    }
}

fn echoed(part: &str, value: Value) -> Value {
    // A boolean is short for `{ enable }`.
    let value = if value.is_boolean() && part != "instant" { json!({ "enable": value }) } else { value };
    match part {
        "toolkits" | "tags" => filter(value),
        "tools" => each_field(value, |toolkit, value| (toolkit, filter(value))),
        "manage_connections" => renamed(value, &[("enable", "enabled")]),
        "workbench" => renamed(value, &[("enable_proxy_execution", "proxy_execution_enabled")]),
        _ => value,
    }
}

/// Converts a filter of toolkits, tools or tags. A list is short for `{ enable }`.
fn filter(value: Value) -> Value {
    let value = if value.is_array() { json!({ "enable": value }) } else { value };
    let value = each_field(value, |name, value| {
        let value = if name == "tags" { filter(value) } else { value };
        (name, value)
    });
    renamed(value, &[("enable", "enabled"), ("disable", "disabled")])
}

fn renamed(value: Value, names: &[(&str, &str)]) -> Value {
    each_field(value, |name, value| {
        let other =
            names.iter().find(|(asked, _)| *asked == name).map(|(_, answered)| (*answered).to_owned());
        (other.unwrap_or(name), value)
    })
}

fn each_field(value: Value, change: impl Fn(String, Value) -> (String, Value)) -> Value {
    match value {
        Value::Object(fields) => fields.into_iter().map(|(name, value)| change(name, value)).collect(),
        value => value,
    }
}
