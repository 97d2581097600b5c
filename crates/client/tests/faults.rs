//! Everything that a backend can do wrong on the wire: each call ends typed and in time, and the next
//! works.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::iter;
use proxy_execute_client::{Remote, RemoteOptions};
use proxy_execute_faults::{Fault, Layer, Outcome, Server, table, write_identity};
use proxy_execute_protocol::{Backend, Deadline, Envelope, Error, ErrorKind, Result as ProtocolResult};

const TIMEOUT: Duration = Duration::from_secs(1);

/// How many faults are played at once.
const AT_ONCE: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_a_backend_over_http1_ends_the_call_and_no_other() {
    play(None, |layer| layer == Layer::Plain, 60).await;
}

/// The certificate is trusted by a variable of the environment, so this runs as a process of its own.
#[test]
fn a_fault_of_a_backend_over_tls_ends_the_call_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    write_identity(folder.path());
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "over_tls"])
        .env("NODE_EXTRA_CA_CERTS", folder.path().join("cert.pem"))
        .env("FAULTS_IDENTITY", folder.path())
        .output()
        .unwrap();
    let text =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a_fault_of_a_backend_over_tls_ends_the_call_and_no_other runs it"]
async fn over_tls() {
    let folder = PathBuf::from(std::env::var_os("FAULTS_IDENTITY").unwrap());
    play(Some(&folder), |layer| layer != Layer::Plain, 60).await;
}

async fn play(identity: Option<&Path>, layers: impl Fn(Layer) -> bool, at_least: usize) {
    let faults: Vec<_> = table().into_iter().filter(|fault| layers(fault.layer)).collect();
    assert!(faults.len() >= at_least);
    let wrong: Vec<_> = iter(&faults)
        .map(|fault| async move {
            meet(fault, identity).await.err().map(|what| format!("{}: {what}", fault.name))
        })
        .buffer_unordered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await;
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), faults.len(), wrong.join("\n"));
}

/// One call that meets the fault, and the next.
async fn meet(fault: &Fault, identity: Option<&Path>) -> Result<(), String> {
    let server = Server::start(fault, identity).await;
    let remote = Remote::new(RemoteOptions {
        api_key: "ak_canary_key".into(),
        base_url: server.origin.clone(),
        api_version: None,
        max_retries: Some(0),
        default_headers: Vec::new(),
    })
    .unwrap();
    let started = Instant::now();
    let result = call(&remote, TIMEOUT).await;
    let took = started.elapsed();
    let outcome = match &result {
        Ok(_) => Outcome::Answer,
        Err(error) => outcome(error)?,
    };
    // Nothing limits the response of a backend below what JavaScript can hold, and a connection that does
    // not come about is of the same kind as one that breaks.
    let is_expected = fault.outcomes.iter().any(|expected| match expected {
        Outcome::NoConnection => outcome == Outcome::Broken,
        Outcome::TooLarge => matches!(outcome, Outcome::TooLarge | Outcome::Broken),
        expected => *expected == outcome,
    });
    if !is_expected {
        return Err(format!(
            "{outcome:?} instead of {:?}: {:?}",
            fault.outcomes,
            result.map(Envelope::into_text)
        ));
    }
    if took > 5 * TIMEOUT {
        return Err(format!("it took {took:?}"));
    }
    match call(&remote, 10 * TIMEOUT).await.map(Envelope::into_text) {
        Ok(text) if text.contains(r#""from":"next""#) => Ok(()),
        next => Err(format!("{outcome:?}, and the next call: {next:?}")),
    }
}

/// A call that may write, which is never sent twice.
async fn call(remote: &Remote, timeout: Duration) -> ProtocolResult<Envelope> {
    let json = r#"{"toolkit_slug":"github","endpoint":"/user","method":"POST","body":{"a":1}}"#;
    let request = serde_json::from_str(json).unwrap();
    remote.proxy_execute("trs_1", request, Deadline::after(timeout)).await
}

fn outcome(error: &Error) -> Result<Outcome, String> {
    match error.kind() {
        ErrorKind::Connection | ErrorKind::InvalidAnswer => Ok(Outcome::Broken),
        ErrorKind::UpstreamTooLarge => Ok(Outcome::TooLarge),
        ErrorKind::DeadlineExceeded => Ok(Outcome::Late),
        kind => Err(format!("{kind:?}: {error}")),
    }
}
