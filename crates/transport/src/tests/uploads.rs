//! Request bodies that break off: the caller gets the reason, over every protocol.

use std::future::ready;

use bytes::Bytes;
use futures::FutureExt;
use futures::stream::{once, unfold};
use http::header::CONTENT_LENGTH;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::{BoxError, streamed};

const PROTOCOLS: [&str; 2] = ["http/1.1", "h2"];

#[derive(Debug, thiserror::Error)]
#[error("the disk is gone")]
struct Broken;

/// When a server sends the head of its response.
#[derive(Clone, Copy)]
enum Answer {
    /// After the server has the whole body.
    AfterTheBody,
    /// At once; the server then sends nothing until it has the whole body.
    BeforeTheBody,
}

/// Starts a server of one protocol. The receiver gets each piece of a body that the server reads.
async fn server(protocol: &str, answer: Answer) -> (String, Client, mpsc::UnboundedReceiver<Bytes>) {
    let (server_tls, client_tls) = tls(&[protocol]);
    let acceptor = TlsAcceptor::from(Arc::new(server_tls));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let (got, pieces) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, got) = (acceptor.clone(), got.clone());
            let service = service_fn(move |request| serve(request, answer, got.clone()));
            tokio::spawn(async move {
                let stream = TokioIo::new(acceptor.accept(stream).await.unwrap());
                auto::Builder::new(TokioExecutor::new()).serve_connection(stream, service).await
            });
        }
    });
    (url, client(client_tls, None, None), pieces)
}

async fn serve(
    request: http::Request<Incoming>,
    answer: Answer,
    got: mpsc::UnboundedSender<Bytes>,
) -> Result<http::Response<impl hyper::body::Body<Data = Bytes, Error = BoxError>>, BoxError> {
    let mut body = request.into_body();
    let rest = async move {
        while let Some(frame) = body.frame().await {
            _ = frame?.into_data().map(|piece| got.send(piece));
        }
        Ok::<_, BoxError>(Frame::data(Bytes::from_static(b"all of it")))
    };
    let rest = match answer {
        Answer::AfterTheBody => ready(rest.await).left_future(),
        Answer::BeforeTheBody => rest.right_future(),
    };
    Ok(http::Response::new(StreamBody::new(Box::pin(once(rest)))))
}

/// A body of so many pieces, which breaks after the server has read them.
fn breaking(pieces: usize, got: mpsc::UnboundedReceiver<Bytes>) -> Body {
    streamed(unfold((0, got), move |(sent, mut got)| async move {
        if sent < pieces {
            return Some((Ok(Bytes::from_static(b"piece")), (sent + 1, got)));
        }
        let mut missing = pieces * b"piece".len();
        while missing > 0 {
            missing -= got.recv().await.unwrap().len();
        }
        Some((Err(Broken), (sent, got)))
    }))
}

fn is_of_the_body(error: &(dyn std::error::Error + 'static)) -> bool {
    error.is::<Broken>() || error.source().is_some_and(is_of_the_body)
}

#[tokio::test]
async fn the_error_of_a_broken_body_replaces_the_response() {
    for protocol in PROTOCOLS {
        for (pieces, length) in [(0, None), (1, None), (3, None), (0, Some(100)), (3, Some(100))] {
            let (url, client, got) = server(protocol, Answer::AfterTheBody).await;
            let mut request = post(&url, breaking(pieces, got));
            if let Some(length) = length {
                request.headers.insert(CONTENT_LENGTH, length.into());
            }
            let error = client.send(request).await.unwrap_err();
            assert!(is_of_the_body(&error), "{protocol}, {pieces}, {length:?}: {error:?}");
            assert!(!error.is_connect());
        }
    }
}

#[tokio::test]
async fn the_error_of_a_broken_body_ends_the_response() {
    for protocol in PROTOCOLS {
        let (url, client, _) = server(protocol, Answer::BeforeTheBody).await;
        let (begun, wait) = oneshot::channel();
        let body = streamed(once(async move {
            wait.await.unwrap();
            Err::<Bytes, _>(Broken)
        }));
        let response = client.send(post(&url, body)).await.unwrap();
        begun.send(()).unwrap();
        let error = response.into_body().try_collect::<Vec<_>>().await.unwrap_err();
        assert!(is_of_the_body(error.as_ref()), "{protocol}: {error:?}");
    }
}

#[tokio::test]
async fn a_whole_body_gets_a_response() {
    for protocol in PROTOCOLS {
        let (url, client, _) = server(protocol, Answer::AfterTheBody).await;
        let body = streamed(once(ready(Ok::<_, Broken>(Bytes::from_static(b"piece")))));
        assert_eq!(text(client.send(post(&url, body)).await.unwrap()).await, "all of it");
    }
}
