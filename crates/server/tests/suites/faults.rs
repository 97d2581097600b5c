//! Faults of an API on the wire: each call ends typed and in time, and the next works.

use std::time::Duration;

use proxy_execute_faults::{Client, Outcome, TIMEOUT, over_tcp, trusting};
use proxy_execute_gateway::GatewayOptions;
use proxy_execute_protocol::ErrorKind;

use crate::support::{Caller, toolkits};

impl Client for Caller {
    async fn open(origin: &str) -> Self {
        let options = GatewayOptions {
            toolkits: toolkits(origin),
            allow_private_hosts: vec!["127.0.0.1".to_owned()],
            upstream_timeout_ms: Some(u64::try_from(TIMEOUT.as_millis()).unwrap()),
            max_response_bytes: Some(1 << 20),
            ..GatewayOptions::default()
        };
        Self::with(options, "header", "a-secret").await
    }

    /// The gateway has one timeout for all calls.
    async fn call(&self, _: Duration) -> Result<(Outcome, String), String> {
        let error = match self.call("POST", "/x").await {
            Ok(answer) => return Ok((Outcome::Answer, answer.text)),
            Err(error) => error,
        };
        let outcome = match error.kind() {
            ErrorKind::UpstreamBroken => Outcome::Broken,
            ErrorKind::UpstreamTooLarge => Outcome::TooLarge,
            ErrorKind::UpstreamTimeout => Outcome::Late,
            ErrorKind::UpstreamUnreachable => Outcome::NoConnection,
            kind => return Err(format!("{kind:?}: {error}")),
        };
        Ok((outcome, error.to_string()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_an_api_over_http1_ends_the_call_and_no_other() {
    over_tcp::<Caller>().await;
}

#[test]
fn a_fault_of_an_api_over_tls_ends_the_call_and_no_other() {
    trusting("faults::over_tls");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a_fault_of_an_api_over_tls_ends_the_call_and_no_other runs it"]
async fn over_tls() {
    proxy_execute_faults::over_tls::<Caller>().await;
}
