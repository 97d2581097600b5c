//! How to connect to a PostgreSQL database, from its URL.

use std::env;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use proxy_execute_protocol::{Error, ErrorKind, Result};
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::Url;

/// The parameters of a URL, as libpq names them.
const PARAMETERS: [&str; 13] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];

/// How long connecting may take while a store is opened.
pub(super) const CONNECTED_WITHIN: Duration = Duration::from_secs(10);

const MAX_CONNECTIONS: u32 = 10;
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);

/// How to connect to a PostgreSQL database. `Debug` shows no password.
#[derive(Clone)]
pub struct PostgresOptions {
    pub(super) connect: PgConnectOptions,
    /// Upper limit for the connections of this gateway, beside one that listens. Default: 10.
    pub max_connections: u32,
    /// Upper limit for the time of a statement, and for the wait for a connection. Default: 10 s.
    pub statement_timeout: Duration,
}

impl PostgresOptions {
    /// Whether a store is named by the URL of a PostgreSQL database.
    pub fn is_url(store: &str) -> bool {
        store.starts_with("postgres://") || store.starts_with("postgresql://")
    }

    /// Reads a URL. The variables of libpq, such as `PGPASSWORD`, give what the URL leaves out.
    ///
    /// # Errors
    /// `InvalidOption`, which quotes no part of the URL but the name of a parameter.
    pub fn from_url(url: &str) -> Result<Self> {
        let parsed = Url::parse(url).map_err(|error| invalid(format!("is not a valid URL ({error}).")))?;
        for (name, _) in parsed.query_pairs() {
            if !PARAMETERS.contains(&&*name) && !name.starts_with("options[") {
                let name: String = name.chars().take(40).collect();
                return Err(invalid(format!("the URL has an unknown parameter, `{}`.", name.escape_debug()))
                    .fix(format!("Known are: {}.", PARAMETERS.join(", "))));
            }
        }
        let connect = PgConnectOptions::from_str(url)
            .map_err(|_| invalid("the URL has a parameter whose value cannot be used.".to_owned()))?;
        let has = |name: &str, variable: &str| {
            parsed.query_pairs().any(|(given, _)| given == name) || env::var_os(variable).is_some()
        };
        let connect = match (has("sslrootcert", "PGSSLROOTCERT"), has("sslmode", "PGSSLMODE")) {
            // An authority is named to be checked.
            (true, false) => connect.ssl_mode(PgSslMode::VerifyFull),
            (false, _) => match env::var_os("NODE_EXTRA_CA_CERTS").filter(|file| !file.is_empty()) {
                Some(file) => connect.ssl_root_cert(file),
                None => connect,
            },
            (true, true) => connect,
        };
        let has_name = parsed.query_pairs().any(|(given, _)| given == "application_name");
        let connect = if has_name { connect } else { connect.application_name("proxy-execute") };
        Ok(Self {
            connect: connect.disable_statement_logging(),
            max_connections: MAX_CONNECTIONS,
            statement_timeout: STATEMENT_TIMEOUT,
        })
    }

    /// The host and the database, for messages.
    pub fn place(&self) -> String {
        let database = self.connect.get_database().unwrap_or(self.connect.get_username());
        match self.connect.get_socket() {
            Some(socket) => format!("postgres://{}/{database}", socket.display()),
            None => format!("postgres://{}:{}/{database}", self.connect.get_host(), self.connect.get_port()),
        }
    }

    /// Returns the options of a connection whose statements end in time.
    pub(super) fn limited(&self) -> PgConnectOptions {
        let timeout = self.statement_timeout.as_millis();
        self.connect.clone().options([
            ("statement_timeout", timeout.to_string()),
            // A gateway that is cut off within a transaction keeps its locks no longer.
            ("idle_in_transaction_session_timeout", timeout.to_string()),
            ("default_transaction_isolation", "read committed".to_owned()),
        ])
    }
}

impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("place", &self.place())
            .field("max_connections", &self.max_connections)
            .field("statement_timeout", &self.statement_timeout)
            .finish_non_exhaustive()
    }
}

fn invalid(fact: String) -> Error {
    Error::new(ErrorKind::InvalidOption, format!("store: {fact}"))
        .about("store")
        .fix("Write it as postgres://user:password@host:5432/database.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_message_shows_the_password() {
        let options = PostgresOptions::from_url("postgres://ann:canary@db.acme.com/gateway").unwrap();
        assert_eq!(options.place(), "postgres://db.acme.com:5432/gateway");
        assert!(!format!("{options:?}").contains("canary"));
        for url in [
            "postgres://ann:canary@db.acme.com:99999/gateway",
            "postgres://ann:canary@db.acme.com/gateway?sslmode=never",
            "postgres://ann:canary@db.acme.com/gateway?pool=canary",
            "postgres://ann@db.acme.com/gateway?password=canary&port=canary",
            "postgres://ann:canary@[/gateway",
        ] {
            let error = PostgresOptions::from_url(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidOption, "{url}");
            assert!(!format!("{error:?} {error}").contains("canary"), "{error}");
        }
    }

    #[test]
    fn a_named_authority_is_checked() {
        let mode = |query: &str| {
            let url = format!("postgres://ann@db.acme.com/gateway{query}");
            format!("{:?}", PostgresOptions::from_url(&url).unwrap().connect.get_ssl_mode())
        };
        assert_eq!(mode(""), "Prefer");
        assert_eq!(mode("?sslrootcert=ca.pem"), "VerifyFull");
        assert_eq!(mode("?sslrootcert=ca.pem&sslmode=require"), "Require");
    }
}
