//! Everything that a backend can do wrong on the wire: each call ends typed and in time, and the next
//! works.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use proxy_execute_client::{Remote, RemoteOptions};
use proxy_execute_faults::{Client, Outcome, over_tcp, trusting};
use proxy_execute_protocol::{Backend, Deadline, ErrorKind, ProxyCall};

struct Caller(Remote);

impl Client for Caller {
    async fn open(origin: &str) -> Self {
        let options = RemoteOptions {
            api_key: "ak_canary_key".into(),
            base_url: origin.to_owned(),
            api_version: None,
            max_retries: Some(0),
            default_headers: Vec::new(),
        };
        Self(Remote::new(options).unwrap())
    }

    async fn call(&self, timeout: Duration) -> Result<(Outcome, String), String> {
        let json = r#"{"toolkit_slug":"github","endpoint":"/user","method":"POST","body":{"a":1}}"#;
        let call = ProxyCall::Written { text: json.to_owned(), data_as_text: false };
        let result = self.0.proxy_execute("trs_1", call, Deadline::after(timeout)).await;
        let error = match result {
            Ok(envelope) => return Ok((Outcome::Answer, envelope.into_text())),
            Err(error) => error,
        };
        let outcome = match error.kind() {
            ErrorKind::Connection | ErrorKind::InvalidAnswer => Outcome::Broken,
            ErrorKind::UpstreamTooLarge => Outcome::TooLarge,
            ErrorKind::DeadlineExceeded => Outcome::Late,
            kind => return Err(format!("{kind:?}: {error}")),
        };
        Ok((outcome, error.to_string()))
    }

    /// Nothing limits the response of a backend below the size that JavaScript can hold. A connection
    /// that fails is an error of the same kind as one that breaks.
    fn is_expected(expected: Outcome, outcome: Outcome) -> bool {
        match expected {
            Outcome::NoConnection => outcome == Outcome::Broken,
            Outcome::TooLarge => matches!(outcome, Outcome::TooLarge | Outcome::Broken),
            expected => expected == outcome,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_a_backend_over_http1_ends_the_call_and_no_other() {
    over_tcp::<Caller>().await;
}

#[test]
fn a_fault_of_a_backend_over_tls_ends_the_call_and_no_other() {
    trusting("over_tls");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a_fault_of_a_backend_over_tls_ends_the_call_and_no_other runs it"]
async fn over_tls() {
    proxy_execute_faults::over_tls::<Caller>().await;
}
