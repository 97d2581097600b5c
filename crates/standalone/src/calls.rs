//! `calls`: the record of the calls that were made.

use proxy_execute_protocol::{CallFilter, RecordedCall};
use proxy_execute_server::Embedded;
use serde_json::{Value, json};

use crate::arguments::Given;
use crate::failure::Failure;
use crate::store::in_existing_store;
use crate::terminal::{Terminal, table};
use crate::time::time;

const COLUMNS: [&str; 8] = ["AT", "USER", "TOOLKIT", "METHOD", "WHERE", "OUTCOME", "BYTES", "TIME"];

/// How many calls are read at once.
const PAGE: u32 = 1_000;

/// Lists the record of calls, newest first.
pub(crate) async fn list(given: &Given, terminal: &Terminal) -> Result<(), Failure> {
    let text = |name| given.text(name).map(str::to_owned);
    let filter = CallFilter {
        user_id: text("user"),
        toolkit: text("toolkit"),
        connected_account_id: text("account"),
        session_id: text("session"),
        outcome: text("outcome"),
        request_id: text("request-id"),
        since: time(given, "since")?,
        until: time(given, "until")?,
        ..CallFilter::default()
    };
    let format = given.text("format").unwrap_or(if terminal.json { "json" } else { "table" });
    if !["table", "json", "ndjson"].contains(&format) {
        return Err(Failure::Usage("--format must be table, json, ndjson.".to_owned()));
    }
    let limit = given.whole("limit");
    in_existing_store(given, terminal, async |gateway| {
        if format == "ndjson" {
            return each_page(gateway, filter, limit.unwrap_or(u64::MAX), |page| {
                let lines: Vec<String> = page.iter().map(|call| shown(call).to_string()).collect();
                if lines.is_empty() { Ok(()) } else { terminal.print(&lines.join("\n")) }
            })
            .await;
        }
        let mut calls = Vec::new();
        let gather = |page| {
            calls.extend(page);
            Ok(())
        };
        each_page(gateway, filter, limit.unwrap_or(50), gather).await?;
        if format == "json" {
            let calls: Value = calls.iter().map(shown).collect();
            return terminal.print(&calls.to_string());
        }
        terminal.print(&table(COLUMNS, calls.iter().map(row).collect()).join("\n"))
    })
    .await
}

async fn each_page(
    gateway: &Embedded,
    mut filter: CallFilter,
    limit: u64,
    mut print: impl FnMut(Vec<RecordedCall>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut left = limit;
    while left > 0 {
        filter.limit = u32::try_from(left).unwrap_or(PAGE).min(PAGE);
        let page = gateway.calls(&filter).await?;
        filter.before = page.last().map(|call| call.id);
        let is_last = page.len() < PAGE as usize;
        print(page)?;
        if is_last {
            break;
        }
        left = left.saturating_sub(PAGE.into());
    }
    Ok(())
}

/// A call under the names of JavaScript, like the output of `npx proxy-execute`.
fn shown(call: &RecordedCall) -> Value {
    json!({
        "id": call.id,
        "at": call.at,
        "requestId": call.request_id,
        "userId": call.user_id,
        "sessionId": call.session_id,
        "toolkit": call.toolkit,
        "connectedAccountId": call.connected_account_id,
        "method": call.method,
        "host": call.host,
        "path": call.path,
        "outcome": call.outcome,
        "status": call.status,
        "bytes": call.bytes,
        "durationMs": call.duration_ms,
    })
}

fn row(call: &RecordedCall) -> [String; COLUMNS.len()] {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let place = call.host.as_ref().map(|host| format!("{host}{}", text(&call.path)));
    // The API's status alone would hide that its response was unusable.
    let outcome = match call.status {
        Some(status) if call.outcome == "answered" => status.to_string(),
        _ => call.outcome.clone(),
    };
    [
        call.at.clone(),
        text(&call.user_id),
        text(&call.toolkit),
        call.method.clone(),
        text(&place),
        outcome,
        call.bytes.to_string(),
        format!("{} ms", call.duration_ms.round()),
    ]
}
