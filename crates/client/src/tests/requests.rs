//! The requests on the wire, and the responses that reach the caller complete.

use proxy_execute_protocol::{ErrorKind, ProxyCall};

use super::*;
use crate::ApiVersion;

const CREATE: &str = r#"{"user_id":"user_1","toolkits":{"enable":["github"]}}"#;

#[tokio::test]
async fn every_method_is_its_documented_request() {
    let deleted = r#"{"session_id":"trs_1","deleted":true}"#;
    let deletion = Step::Answer(answer(200, &[], deleted));
    let server = Server::start([session(), session(), session(), deletion, envelope(), envelope()]).await;
    let remote = remote(&server.origin);

    remote.resource(of_session(ResourceMethod::Post, Some(CREATE)), soon()).await.unwrap();
    assert_eq!(read(&remote).await.unwrap(), SESSION);
    let update = of_session(ResourceMethod::Patch, Some(r#"{"multi_account":null}"#));
    remote.resource(update, soon()).await.unwrap();
    let delete = of_session(ResourceMethod::Delete, None);
    assert_eq!(remote.resource(delete, soon()).await.unwrap(), deleted);
    assert_eq!(write(&remote).await.unwrap().into_text(), ENVELOPE);
    remote.tools_proxy_execute(proxied(Method::Get).into(), soon()).await.unwrap();

    let requests = server.requests();
    let lines: Vec<_> = requests.iter().map(|request| request.lines().next().unwrap()).collect();
    assert_eq!(
        lines,
        [
            "POST /api/v3.1/tool_router/session HTTP/1.1",
            "GET /api/v3.1/tool_router/session/trs_1 HTTP/1.1",
            "PATCH /api/v3.1/tool_router/session/trs_1 HTTP/1.1",
            "DELETE /api/v3.1/tool_router/session/trs_1 HTTP/1.1",
            "POST /api/v3.1/tool_router/session/trs_1/proxy_execute HTTP/1.1",
            "POST /api/v3.1/tools/execute/proxy HTTP/1.1",
        ]
    );
    for request in &requests {
        let has_body = !request.ends_with("\r\n\r\n");
        for header in ["accept: application/json", "x-api-key: ak_canary_key", "x-tenant: canary_header"] {
            assert_eq!(request.matches(&format!("\r\n{header}\r\n")).count(), 1, "{header}: {request}");
        }
        assert!(request.contains(concat!("user-agent: proxy-execute/", env!("CARGO_PKG_VERSION"))));
        assert!(request.contains("accept-encoding: "));
        assert_eq!(request.contains("content-type: application/json"), has_body, "{request}");
    }
    assert!(requests[0].ends_with(CREATE));
    assert!(requests[2].ends_with(r#"{"multi_account":null}"#));
    assert!(requests[4].contains(r#""body":{"note":"canary_body"}"#), "the caller's own text");
    assert_eq!(server.connections(), 1, "the connection is kept");
}

#[tokio::test]
async fn the_previous_version_and_a_path_prefix_are_kept() {
    let server = Server::start([session()]).await;
    let base_url = format!("{}/behind/a/prefix/", server.origin);
    let remote =
        Remote::new(RemoteOptions { api_version: Some(ApiVersion::V3), ..options(&base_url) }).unwrap();
    read(&remote).await.unwrap();
    assert!(server.requests()[0].starts_with("GET /behind/a/prefix/api/v3/tool_router/session/trs_1 HTTP"));
}

#[tokio::test]
async fn a_session_id_is_one_path_segment_whatever_is_in_it() {
    let ids = [
        ("a/../b?c#d", "a%2F..%2Fb%3Fc%23d"),
        ("%2e%2e", "%252e%252e"),
        (".\t.", ".%09."),
        ("…", "%E2%80%A6"),
        ("...", "..."),
    ];
    let by_id = |id| ResourceRequest::new(ResourceMethod::Get, ["tool_router", "session", id]);
    let server = Server::start(ids.map(|_| session())).await;
    let remote = remote(&server.origin);
    for (id, segment) in ids {
        remote.resource(by_id(id), soon()).await.unwrap();
        let request = server.requests().pop().unwrap();
        let path = format!("GET /api/v3.1/tool_router/session/{segment} HTTP/1.1");
        assert!(request.starts_with(&path), "{request}");
    }
    for id in ["", ".", ".."] {
        assert_eq!(remote.resource(by_id(id), soon()).await.unwrap_err().kind(), ErrorKind::InvalidRequest);
        let proxied = remote.proxy_execute(id, proxied(Method::Get).into(), soon()).await;
        assert_eq!(proxied.unwrap_err().kind(), ErrorKind::InvalidRequest);
    }
    assert_eq!(server.requests().len(), ids.len());
}

#[tokio::test]
async fn a_compressed_response_is_decoded() {
    let members = [
        b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x01\x1b\0\xe4\xff{\"status\":200,\"headers\":{},".as_slice(),
        b"\xbb\x47\xd8\xaa\x1b\x00\x00\x00",
        b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x01\x14\0\xeb\xff\"data\":\"compressed\"}",
        b"\xf1\xe1\xca\xd9\x14\x00\x00\x00",
    ]
    .concat();
    let compressed: [(&str, &[u8]); 6] = [
        ("gzip", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56\x2a\x2e\x49\x2c\x29\x2d\x56\xb2\x32\x32\x30\xd0\x51\xca\x48\x4d\x4c\x49\x2d\x02\xf2\xaa\x6b\x75\x94\x52\x12\x4b\x12\x95\xac\x94\x92\xf3\x73\x0b\x8a\x52\x8b\x8b\x53\x53\x94\x6a\x01\x56\xe4\x52\xf6\x2f\x00\x00\x00"),
        ("deflate", b"\x78\x9c\xab\x56\x2a\x2e\x49\x2c\x29\x2d\x56\xb2\x32\x32\x30\xd0\x51\xca\x48\x4d\x4c\x49\x2d\x02\xf2\xaa\x6b\x75\x94\x52\x12\x4b\x12\x95\xac\x94\x92\xf3\x73\x0b\x8a\x52\x8b\x8b\x53\x53\x94\x6a\x01\x74\x70\x0f\xe8"),
        ("br", b"\x0b\x17\x80{\"status\":200,\"headers\":{},\"data\":\"compressed\"}\x03"),
        ("zstd", b"\x28\xb5\x2f\xfd\x04\x58\x79\x01\x00{\"status\":200,\"headers\":{},\"data\":\"compressed\"}\xa7\x95\x12\x52"),
        // Raw deflate, and gzip in two members.
        ("deflate", b"\x01\x2f\0\xd0\xff{\"status\":200,\"headers\":{},\"data\":\"compressed\"}"),
        ("gzip", &members),
    ];
    let server =
        Server::start(compressed.map(|(coding, body)| {
            Step::Answer(answer(200, &[&format!("content-encoding: {coding}")], body))
        }))
        .await;
    let remote = remote(&server.origin);
    for (coding, _) in compressed {
        let text = write(&remote).await.unwrap().into_text();
        assert_eq!(text, r#"{"status":200,"headers":{},"data":"compressed"}"#, "{coding}");
        assert!(server.requests()[0].contains(coding));
    }
}

#[tokio::test]
async fn credentials_given_in_the_call_travel_and_malformed_ones_are_not_quoted() {
    let server = Server::start([envelope()]).await;
    let remote = remote(&server.origin);
    let with = |data: &str| ProxyRequest {
        custom_connection_data: Some(proxy_execute_protocol::SecretJson::new(data)),
        ..proxied(Method::Get)
    };
    let data = r#"{"authScheme":"BEARER_TOKEN","val":{"token":"t"}}"#;
    remote.tools_proxy_execute(with(data).into(), soon()).await.unwrap();
    assert!(server.requests()[0].contains(&format!(r#""custom_connection_data":{data}"#)));

    let error = remote.tools_proxy_execute(with("canary_token").into(), soon()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(!format!("{error} {error:?}").contains("canary"));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn text_changes_only_the_data_of_the_envelope() {
    let text = r#"{"result_type":"completed","data":{"id":1.0},"status":200,"later":[1]}"#;
    let plain = r#"{"status":200,"data":"a","repeated_headers":{"x":["1","2"]}}"#;
    for (sent, expected) in [
        (text, r#"{"result_type":"completed","data":"{\"id\":1.0}","status":200,"later":[1]}"#),
        (plain, plain),
    ] {
        let steps = [0, 1].map(|_| Step::Answer(answer(200, &["content-type: application/json"], sent)));
        let server = Server::start(steps).await;
        let remote = remote(&server.origin);
        let request = || ProxyRequest { data_as_text: true, ..proxied(Method::Post) };
        let in_session = remote.proxy_execute("trs_1", request().into(), soon()).await.unwrap();
        assert_eq!(in_session.into_text(), expected);
        let outside = remote.tools_proxy_execute(request().into(), soon()).await.unwrap();
        assert_eq!(outside.into_text(), expected);
        for request in server.requests() {
            assert!(request.contains("\r\nx-proxy-execute-response: text\r\n"), "{request}");
        }
    }
}

#[tokio::test]
async fn a_written_request_goes_out_as_it_is() {
    // Blanks, a name from a later version, and a number that a float cannot hold.
    let text = r#"{ "endpoint":"/x","method":"GET","later":[1.0],"body":{"n":12345678901234567890.10}}"#;
    let server = Server::start([Step::Reset, envelope()]).await;
    let call = || ProxyCall::Written { text: text.to_owned(), data_as_text: false };
    remote(&server.origin).tools_proxy_execute(call(), soon()).await.unwrap();
    let requests = server.requests();
    assert_eq!(requests.len(), 2, "a GET is repeated");
    assert!(requests.iter().all(|request| request.ends_with(text)), "{requests:?}");
}

#[tokio::test]
async fn a_written_request_with_a_string_as_its_body_is_read_first() {
    let server = Server::start([envelope()]).await;
    let remote = remote(&server.origin);
    let call = |body: &str| ProxyCall::Written {
        text: format!(r#"{{"endpoint":"/x","method":"POST","body":{body}}}"#),
        data_as_text: false,
    };
    remote.tools_proxy_execute(call(r#""{\"a\":1}""#), soon()).await.unwrap();
    assert!(server.requests()[0].ends_with(r#""body":{"a":1}}"#), "{:?}", server.requests());

    for body in [r#""no JSON""#, "{"] {
        let error = remote.tools_proxy_execute(call(body), soon()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    }
    assert_eq!(server.requests().len(), 1);
}
