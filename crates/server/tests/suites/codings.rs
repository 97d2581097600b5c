//! Content codings of responses: all of a body arrives, or an error; and no body grows out of proportion.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use futures::TryStreamExt;
use proxy_execute_gateway::GatewayOptions;
use proxy_execute_protocol::{Backend, ErrorKind, Result};

use crate::support::{
    Caller, Step, Upstream, answer, assert_error, deadline, get, gzip, json_answer, options, soon, written,
};

const JSON: &str = "content-type: application/json";
const TEXT: &str = "content-type: text/plain";
const FILE: &str = "content-type: application/pdf";
const GZIP: &str = "content-encoding: gzip";

/// A caller of an upstream that sends this body.
async fn caller(headers: &[&str], body: &[u8], max_expansion: Option<u64>) -> Caller {
    let upstream = Upstream::always(Step::Send(answer(200, headers, body))).await;
    let options = GatewayOptions { max_expansion, ..options(&upstream) };
    Caller::with(options, "header", "a-secret").await
}

/// The size of the body as a stream, or the error that it ends with.
async fn streamed(caller: &Caller) -> Result<usize> {
    let call = written(get("header"));
    let answer = soon(caller.gateway.proxy_stream(Some(&caller.session), call, deadline())).await?;
    soon(answer.body.try_fold(0, async |size, chunk| Ok(size + chunk.len()))).await
}

#[tokio::test]
async fn all_members_arrive_as_text_as_a_file_and_as_a_stream() {
    let members = [gzip(b"{\"a\":1"), gzip(b","), gzip(b"\"b\":2}")].concat();
    let json = caller(&[JSON, GZIP], &members, None).await;
    assert_eq!(json.get().await.unwrap().raw_data(), r#"{"a":1,"b":2}"#);
    assert_eq!(streamed(&json).await.unwrap(), 13);
    let file = caller(&[FILE, GZIP], &members, None).await;
    assert_eq!(file.get().await.unwrap().json()["binary_data"]["size"], 13);
}

#[tokio::test]
async fn bytes_after_the_end_of_a_coding_are_an_error() {
    let trailing = [gzip(b"{}"), b"<p>".to_vec()].concat();
    for content_type in [JSON, TEXT, FILE] {
        let caller = caller(&[content_type, GZIP], &trailing, None).await;
        let says = "bytes follow the end of the gzip coding";
        assert_error(caller.get().await, ErrorKind::UpstreamBroken, says);
        assert_error(streamed(&caller).await, ErrorKind::UpstreamBroken, says);
    }
}

#[tokio::test]
async fn stacked_codings_are_all_decoded() {
    let twice = gzip(&gzip(b"[1]"));
    for lines in [vec![JSON, "content-encoding: gzip, x-gzip"], vec![JSON, GZIP, GZIP]] {
        let answer = caller(&lines, &twice, None).await.get().await.unwrap();
        assert_eq!((answer.raw_data(), answer.header("content-encoding")), ("[1]", None));
    }
    let six = caller(&[JSON, "content-encoding: gzip,gzip,gzip,gzip,gzip,gzip"], &twice, None).await;
    assert_error(six.get().await, ErrorKind::UpstreamBroken, "6 content codings");
}

#[tokio::test]
async fn a_file_or_a_stream_that_grows_out_of_proportion_is_refused() {
    // 8 MiB in about 8 KB.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![b' '; 8 << 20]).unwrap();
    let bomb = encoder.finish().unwrap();
    for (limit, fits) in [(None, false), (Some(1), false), (Some(500), false), (Some(2_000), true)] {
        let caller = caller(&[FILE, GZIP], &bomb, limit).await;
        let (file, stream) = (caller.get().await, streamed(&caller).await);
        if fits {
            assert_eq!(file.unwrap().json()["binary_data"]["size"], 8 << 20);
            assert_eq!(stream.unwrap(), 8 << 20);
        } else {
            let says = format!("more than {} times its size", limit.unwrap_or(200));
            let error = assert_error(file, ErrorKind::UpstreamTooLarge, &says);
            assert!(error.to_string().contains("maxExpansion"), "{error}");
            assert_error(stream, ErrorKind::UpstreamTooLarge, &says);
        }
    }
    // The first MiB is free.
    let small = caller(&[FILE, GZIP], &gzip(&vec![b' '; 1 << 20]), Some(1)).await;
    assert_eq!(small.get().await.unwrap().json()["binary_data"]["size"], 1 << 20);
    // Text has its own limit.
    let text = caller(&[TEXT, GZIP], &bomb, Some(1)).await;
    assert_eq!(text.get().await.unwrap().data().as_str().unwrap().len(), 8 << 20);
}

#[tokio::test]
async fn an_expansion_of_zero_is_refused() {
    let upstream = Upstream::always(json_answer("1")).await;
    let options = GatewayOptions { max_expansion: Some(0), ..options(&upstream) };
    let error = proxy_execute_server::Embedded::open(options).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
    assert!(error.to_string().starts_with("maxExpansion: "), "{error}");
}

#[tokio::test]
async fn eight_streams_with_large_windows_take_no_memory() {
    // A frame of 256 times x, with a window of 128 MiB.
    let frame = b"\x28\xb5\x2f\xfd\x40\x88\0\0\x03\x08\0x";
    let caller = caller(&[FILE, "content-encoding: zstd"], frame, None).await;
    let streams = futures::future::join_all((0..8).map(|_| streamed(&caller))).await;
    for stream in streams {
        assert_error(stream, ErrorKind::UpstreamBroken, "a larger window than HTTP allows");
    }
}
