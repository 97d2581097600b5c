//! HTTP/2 responses that break off before their end.

use bytes::Bytes;
use h2::Reason;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderName, HeaderValue};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::codings::{brotli, deflate, gzip, zlib, zstd};
use super::*;

/// The server's behaviour after it has sent a response's head and first bytes.
#[derive(Debug, Clone, Copy)]
enum Then {
    EndStream,
    Reset(Reason),
    EndStreamAndReset(Reason),
    Trailers,
    GoAway(Reason),
    Close,
}

/// Returns the bytes of a response with this content-length, or the error that its body ends with.
async fn read(length: Option<usize>, sent: &'static str, then: Then) -> Result<String, String> {
    let length = length.map(|length| (CONTENT_LENGTH, HeaderValue::from(length)));
    read_with(length, Bytes::from_static(sent.as_bytes()), then).await
}

async fn read_with(
    header: Option<(HeaderName, HeaderValue)>,
    sent: Bytes,
    then: Then,
) -> Result<String, String> {
    let (server_tls, client_tls) = tls(&["h2"]);
    let acceptor = TlsAcceptor::from(Arc::new(server_tls));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let stream = acceptor.accept(stream).await.unwrap();
        let mut connection = h2::server::handshake(stream).await.unwrap();
        let (_request, mut respond) = connection.accept().await.unwrap().unwrap();
        let mut head = http::Response::new(());
        head.headers_mut().extend(header);
        let mut stream = respond.send_response(head, false).unwrap();
        let ends = matches!(then, Then::EndStream | Then::EndStreamAndReset(_));
        stream.send_data(sent, ends).unwrap();
        // The queued frames are sent once the connection was polled until it is idle.
        let idle = tokio::time::timeout(Duration::from_millis(50), connection.accept());
        assert!(idle.await.is_err());
        match then {
            Then::EndStream => {}
            Then::Reset(reason) => stream.send_reset(reason),
            Then::EndStreamAndReset(reason) => respond.send_reset(reason),
            Then::Trailers => stream.send_trailers(http::HeaderMap::new()).unwrap(),
            Then::GoAway(reason) => connection.abrupt_shutdown(reason),
            Then::Close => return,
        }
        _ = connection.accept().await;
    });
    let response = client(client_tls, None, None).send(get(&url)).await.unwrap();
    let read: Result<Vec<Bytes>, _> = response.into_body().try_collect().await;
    server.abort();
    read.map(|chunks| String::from_utf8(chunks.concat()).unwrap()).map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_response_without_its_end_is_broken() {
    let reasons = [Reason::NO_ERROR, Reason::CANCEL, Reason::INTERNAL_ERROR, Reason::REFUSED_STREAM];
    let resets = reasons.map(Then::Reset);
    let goes_away = [Reason::NO_ERROR, Reason::ENHANCE_YOUR_CALM].map(Then::GoAway);
    for then in resets.into_iter().chain(goes_away).chain([Then::Close]) {
        for (length, sent) in
            [(None, "half"), (None, ""), (Some(8), "half"), (Some(8), ""), (Some(4), "half")]
        {
            let result = read(length, sent, then).await;
            assert!(result.is_err(), "{then:?} {length:?}: {result:?}");
        }
    }
    for then in [Then::EndStream, Then::Trailers] {
        assert!(read(Some(8), "half", then).await.is_err(), "{then:?}");
    }
}

#[tokio::test]
async fn a_complete_response_stays_complete() {
    let reasons = [Reason::NO_ERROR, Reason::CANCEL, Reason::INTERNAL_ERROR];
    let ends = reasons.map(Then::EndStreamAndReset).into_iter().chain([Then::EndStream, Then::Trailers]);
    for then in ends {
        for (length, sent) in [(None, "whole"), (Some(5), "whole"), (None, ""), (Some(0), "")] {
            assert_eq!(read(length, sent, then).await.as_deref(), Ok(sent), "{then:?} {length:?}");
        }
    }
}

/// The end of a coding is not the end of the response.
#[tokio::test]
async fn a_coded_response_without_its_end_is_broken() {
    let body = b"whole";
    for (coding, coded) in [
        ("gzip", gzip(body)),
        ("deflate", zlib(body)),
        ("deflate", deflate(body)),
        ("br", brotli(body)),
        ("zstd", zstd(body)),
    ] {
        for (then, has_ended) in [
            (Then::Reset(Reason::NO_ERROR), false),
            (Then::GoAway(Reason::NO_ERROR), false),
            (Then::EndStreamAndReset(Reason::NO_ERROR), true),
        ] {
            let header = (CONTENT_ENCODING, HeaderValue::from_static(coding));
            let result = read_with(Some(header), coded.clone().into(), then).await;
            assert_eq!(result.is_ok(), has_ended, "{coding} {then:?}: {result:?}");
        }
    }
}
