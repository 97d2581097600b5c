//! Calls that meet the faults of the table.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::iter;
use tokio::time::timeout;

use crate::{Fault, Layer, Outcome, Server, table, write_identity};

/// The deadline of a call that meets a fault. All faults share a thread, on which an endless head takes seconds
/// without optimisation.
pub const TIMEOUT: Duration = Duration::from_secs(6);

/// Upper limit for the time of such a call, on a machine that is busy with the other faults.
const MAX_TIME: Duration = Duration::from_secs(20);

/// The number of faults that are played at once.
const AT_ONCE: usize = 8;

/// Fewer faults than this mean that a part of the table is missing.
const MIN_FAULTS: usize = 60;

/// The environment variable that names the folder of the certificate for [`over_tls`].
const IDENTITY: &str = "FAULTS_IDENTITY";

/// A client under test.
pub trait Client: Sized {
    /// Creates a client that calls this origin.
    fn open(origin: &str) -> impl Future<Output = Self>;

    /// Makes a call that may write, and so is never retried. Returns the outcome, and the text of the
    /// response or the error.
    ///
    /// # Errors
    /// An error of a kind that no fault should cause.
    fn call(&self, timeout: Duration) -> impl Future<Output = Result<(Outcome, String), String>>;

    /// Whether an outcome is the expected outcome, in the kinds of error that the client has.
    fn is_expected(expected: Outcome, outcome: Outcome) -> bool {
        expected == outcome
    }
}

/// Plays all faults of HTTP/1.1 over TCP.
///
/// # Panics
/// If a call ends in another way or too late, or if the next call fails.
pub async fn over_tcp<C: Client>() {
    play::<C>(None, |layer| layer == Layer::Plain).await;
}

/// Plays all faults of TLS and HTTP/2 in the process that [`trusting`] starts.
///
/// # Panics
/// Like [`over_tcp`], and if the variable that names the folder of the certificate is missing.
pub async fn over_tls<C: Client>() {
    let folder = PathBuf::from(std::env::var_os(IDENTITY).unwrap());
    play::<C>(Some(&folder), |layer| layer != Layer::Plain).await;
}

/// Runs an ignored test of the same binary in a process that trusts the certificate of [`over_tls`].
///
/// An environment variable names the certificate.
///
/// # Panics
/// If the test fails.
pub fn trusting(test: &str) {
    let folder = tempfile::tempdir().unwrap();
    write_identity(folder.path());
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", test])
        .env("NODE_EXTRA_CA_CERTS", folder.path().join("cert.pem"))
        .env(IDENTITY, folder.path())
        .output()
        .unwrap();
    let text =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

async fn play<C: Client>(identity: Option<&Path>, layers: impl Fn(Layer) -> bool) {
    let faults: Vec<_> = table().into_iter().filter(|fault| layers(fault.layer)).collect();
    assert!(faults.len() >= MIN_FAULTS);
    let wrong: Vec<_> = iter(&faults)
        .map(|fault| async move {
            meet::<C>(fault, identity).await.err().map(|what| format!("{}: {what}", fault.name))
        })
        .buffer_unordered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await;
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), faults.len(), wrong.join("\n"));
}

/// Makes the call that meets the fault, and the next call.
async fn meet<C: Client>(fault: &Fault, identity: Option<&Path>) -> Result<(), String> {
    let server = Server::start(fault, identity).await;
    let client = C::open(&server.origin).await;
    let call = timeout(MAX_TIME, client.call(TIMEOUT)).await;
    let (outcome, text) = call.map_err(|_| format!("it did not end in {MAX_TIME:?}"))??;
    if !fault.outcomes.iter().any(|expected| C::is_expected(*expected, outcome)) {
        return Err(format!("{outcome:?} instead of {:?}: {text}", fault.outcomes));
    }
    timeout(MAX_TIME, server.closed()).await.map_err(|_| "the closed connection was kept".to_owned())?;
    let next = timeout(2 * MAX_TIME, client.call(10 * TIMEOUT)).await;
    match next.map_err(|_| "the next call did not end".to_owned())?? {
        (Outcome::Answer, text) if text.contains(r#""from":"next""#) => Ok(()),
        next => Err(format!("{outcome:?}, and the next call: {next:?}")),
    }
}
