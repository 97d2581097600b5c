//! The server that the benchmark calls. It answers at once, on one thread, so that what is measured
//! is the caller.
//!
//! It is two servers in one: a backend of the documented wire, whose proxied calls are answered
//! without an upstream, and an upstream for the embedded gateway. It prints its URL once it
//! listens, and ends when its standard input does, so that it never outlives the benchmark.

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::{any, post};
use axum::serve::ListenerExt;
use serde_json::{Value, json};
use tokio::net::TcpListener;

fn main() -> std::io::Result<()> {
    std::thread::spawn(|| {
        // Whether it ends or breaks, the benchmark is gone.
        _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(serve())
}

async fn serve() -> std::io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("http://{}", listener.local_addr()?);
    let listener = listener.tap_io(|stream| _ = stream.set_nodelay(true));
    axum::serve(listener, routes()).await
}

fn routes() -> Router {
    let data = issue();
    let headers = json!({ "content-type": "application/json", "x-ratelimit-remaining": "4999" });
    let envelope = Bytes::from(json!({ "status": 200, "headers": headers, "data": data }).to_string());
    let data = Bytes::from(data.to_string());
    let session = Bytes::from(
        json!({ "session_id": "trs_bench", "mcp": {}, "config": { "user_id": "user_bench" } }).to_string(),
    );
    // Each takes the whole request before it answers, as a real server would.
    let answer = |status: StatusCode, text: Bytes| {
        move |_: Bytes| async move { (status, [(CONTENT_TYPE, "application/json")], text).into_response() }
    };
    Router::new()
        .route("/api/v3.1/tool_router/session", post(answer(StatusCode::CREATED, session)))
        .route("/api/v3.1/tool_router/session/{id}/proxy_execute", post(answer(StatusCode::OK, envelope)))
        .route("/echo1k", any(answer(StatusCode::OK, data)))
}

/// About 1 KB of JSON, shaped like what issue trackers answer.
fn issue() -> Value {
    json!({
        "id": 1_296_269,
        "node_id": "MDU6SXNzdWUx",
        "url": "https://api.example.com/repos/octocat/hello-world/issues/1347",
        "html_url": "https://example.com/octocat/hello-world/issues/1347",
        "number": 1347,
        "state": "open",
        "title": "Found a bug",
        "body": "I'm having a problem with this. It happens on every second start, and only if the \
                 cache was filled before. The log ends with the line that opens the index.",
        "user": {
            "login": "octocat",
            "id": 1,
            "url": "https://api.example.com/users/octocat",
            "type": "User",
            "site_admin": false
        },
        "labels": [
            { "id": 208_045_946, "name": "bug", "color": "f29513", "default": true },
            { "id": 208_045_947, "name": "help wanted", "color": "008672", "default": false }
        ],
        "assignees": [{ "login": "hubot", "id": 2, "type": "User", "site_admin": false }],
        "locked": true,
        "comments": 3,
        "closed_at": null,
        "created_at": "2026-04-22T13:33:48Z",
        "updated_at": "2026-04-22T13:33:48Z",
        "reactions": { "+1": 3, "-1": 0, "laugh": 0, "heart": 1, "eyes": 1 },
        "author_association": "COLLABORATOR"
    })
}
