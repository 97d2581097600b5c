//! A PostgreSQL server for tests, and a proxy in front of it that stalls or cuts connections off.

use std::env;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The URL of a server on which the tests may create databases. Otherwise they start one.
const VARIABLE: &str = "PROXY_EXECUTE_TEST_POSTGRES";

/// A new, empty database.
#[derive(Debug)]
pub struct Database {
    /// Its URL.
    pub url: String,
}

impl Database {
    /// Creates a database on the server of the tests. Prints why there is none, which is an error under CI.
    pub async fn create() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let server = server()?;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("proxy_execute_{}_{count}", std::process::id());
        let mut connection = connect(server).await;
        connection.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
        connection.close().await.unwrap();
        Some(Self { url: with_database(server, &name) })
    }

    /// Connects to the database, past every gateway.
    pub async fn connect(&self) -> PgConnection {
        connect(&self.url).await
    }

    /// The URL through a proxy.
    pub fn through(&self, proxy: &Between) -> String {
        let (before, after) = self.url.rsplit_once('@').unwrap();
        let path = after.split_once('/').unwrap().1;
        format!("{before}@127.0.0.1:{}/{path}", proxy.port)
    }
}

async fn connect(url: &str) -> PgConnection {
    url.parse::<PgConnectOptions>().unwrap().disable_statement_logging().connect().await.unwrap()
}

/// The URL with another database.
fn with_database(url: &str, name: &str) -> String {
    let (url, query) =
        url.split_once('?').map_or((url, String::new()), |(url, query)| (url, format!("?{query}")));
    let (server, _) = url.rsplit_once('/').unwrap();
    format!("{server}/{name}{query}")
}

/// The URL of the server, which the first test starts. It ends with the process of the tests.
fn server() -> Option<&'static str> {
    static SERVER: OnceLock<(Option<String>, Option<Child>)> = OnceLock::new();
    let (url, _) = SERVER.get_or_init(|| {
        if let Ok(url) = env::var(VARIABLE) {
            return (Some(url), None);
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/test-postgres");
        let mut child = Command::new(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        match line.trim().strip_prefix("none: ") {
            None => (Some(line.trim().to_owned()), Some(child)),
            Some(reason) if env::var("CI").is_ok_and(|value| value == "true") => panic!("{reason}"),
            Some(reason) => {
                println!("skipped: {reason}");
                (None, None)
            }
        }
    });
    url.as_deref()
}

/// How a proxy treats its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Forward,
    Stall,
    Cut,
}

/// A proxy between a gateway and its database.
#[derive(Debug)]
pub struct Between {
    port: u16,
    mode: watch::Sender<Mode>,
    task: JoinHandle<()>,
}

impl Between {
    /// Forwards to the server of a database.
    pub async fn forward(database: &Database) -> Self {
        let (_, after) = database.url.rsplit_once('@').unwrap();
        let server = Arc::new(after.split_once('/').unwrap().0.to_owned());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (mode, seen) = watch::channel(Mode::Forward);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (server, seen) = (Arc::clone(&server), seen.clone());
                tokio::spawn(async move { serve(client, &server, seen).await });
            }
        });
        Self { port, mode, task }
    }

    /// Holds every byte back, and keeps all connections.
    pub fn stall(&self) {
        self.mode.send_replace(Mode::Stall);
    }

    /// Ends all connections, and every new one at once.
    pub fn cut(&self) {
        self.mode.send_replace(Mode::Cut);
    }

    /// Forwards again.
    pub fn resume(&self) {
        self.mode.send_replace(Mode::Forward);
    }
}

impl Drop for Between {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut client: TcpStream, server: &str, mut mode: watch::Receiver<Mode>) {
    // A connection that begins during a stall stalls from its first byte.
    if mode.wait_for(|mode| *mode != Mode::Stall).await.is_err() || *mode.borrow() == Mode::Cut {
        return;
    }
    let Ok(mut server) = TcpStream::connect(server).await else { return };
    loop {
        tokio::select! {
            biased;
            changed = mode.changed() => {
                if changed.is_err() || *mode.borrow_and_update() == Mode::Cut {
                    return;
                }
                if mode.wait_for(|mode| *mode != Mode::Stall).await.is_err() {
                    return;
                }
            }
            _ = copy_bidirectional(&mut client, &mut server) => return,
        }
        if *mode.borrow() == Mode::Cut {
            return;
        }
    }
}
