//! Everything that an API can do wrong on the wire: each call ends typed and in time, and the next works.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::iter;
use proxy_execute_faults::{Fault, Layer, Outcome, Server, table, write_identity};
use proxy_execute_gateway::GatewayOptions;
use proxy_execute_protocol::{Error, ErrorKind};

use crate::support::{Caller, toolkits};

const TIMEOUT: Duration = Duration::from_secs(1);

/// How many faults are played at once.
const AT_ONCE: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_an_api_over_http1_ends_the_call_and_no_other() {
    play(None, |layer| layer == Layer::Plain, 60).await;
}

/// The certificate is trusted by a variable of the environment, so this runs as a process of its own.
#[test]
fn a_fault_of_an_api_over_tls_ends_the_call_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    write_identity(folder.path());
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "faults::over_tls"])
        .env("NODE_EXTRA_CA_CERTS", folder.path().join("cert.pem"))
        .env("FAULTS_IDENTITY", folder.path())
        .output()
        .unwrap();
    let text =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a_fault_of_an_api_over_tls_ends_the_call_and_no_other runs it"]
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
    let options = GatewayOptions {
        toolkits: toolkits(&server.origin),
        allow_private_hosts: vec!["127.0.0.1".to_owned()],
        upstream_timeout_ms: Some(u64::try_from(TIMEOUT.as_millis()).unwrap()),
        max_response_bytes: Some(1 << 20),
        ..GatewayOptions::default()
    };
    let caller = Caller::with(options, "header", "a-secret").await;
    let started = Instant::now();
    // A POST, which is never sent twice.
    let result = caller.call("POST", "/x").await;
    let took = started.elapsed();
    let outcome = match &result {
        Ok(_) => Outcome::Answer,
        Err(error) => outcome(error)?,
    };
    if !fault.outcomes.contains(&outcome) {
        return Err(format!("{outcome:?} instead of {:?}: {result:?}", fault.outcomes));
    }
    if took > 5 * TIMEOUT {
        return Err(format!("it took {took:?}"));
    }
    match caller.call("POST", "/x").await {
        Ok(answer) if answer.raw_data().contains(r#""from":"next""#) => Ok(()),
        next => Err(format!("{outcome:?}, and the next call: {next:?}")),
    }
}

fn outcome(error: &Error) -> Result<Outcome, String> {
    match error.kind() {
        ErrorKind::UpstreamBroken => Ok(Outcome::Broken),
        ErrorKind::UpstreamTooLarge => Ok(Outcome::TooLarge),
        ErrorKind::UpstreamTimeout => Ok(Outcome::Late),
        ErrorKind::UpstreamUnreachable => Ok(Outcome::NoConnection),
        kind => Err(format!("{kind:?}: {error}")),
    }
}
