//! Requests that an HTTP/2 server refuses, and requests that it may have acted on.

use std::sync::Mutex;

use bytes::Bytes;
use futures::stream::iter;
use h2::Reason;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::streamed;

/// The server's reaction to a request.
#[derive(Clone, Copy)]
enum Step {
    Answer,
    Reset(Reason),
}

/// Starts a server that runs one step per request, and keeps the bodies that it read.
async fn server(steps: Vec<Step>) -> (String, Client, Arc<Mutex<Vec<String>>>) {
    let (server_tls, client_tls) = tls(&["h2"]);
    let acceptor = TlsAcceptor::from(Arc::new(server_tls));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let (bodies, steps) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(steps.into_iter())));
    let seen = Arc::clone(&bodies);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(acceptor.clone(), stream, Arc::clone(&steps), Arc::clone(&seen)));
        }
    });
    (url, client(client_tls, None, None), bodies)
}

async fn serve(
    tls: TlsAcceptor,
    stream: TcpStream,
    steps: Arc<Mutex<std::vec::IntoIter<Step>>>,
    seen: Arc<Mutex<Vec<String>>>,
) {
    let mut connection = h2::server::handshake(tls.accept(stream).await.unwrap()).await.unwrap();
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let (steps, seen) = (Arc::clone(&steps), Arc::clone(&seen));
        let step = steps.lock().unwrap().next().unwrap();
        tokio::spawn(async move {
            let (mut body, mut text) = (request.into_body(), Vec::new());
            while let Some(Ok(chunk)) = body.data().await {
                text.extend_from_slice(&chunk);
            }
            seen.lock().unwrap().push(String::from_utf8(text).unwrap());
            match step {
                Step::Reset(reason) => respond.send_reset(reason),
                Step::Answer => _ = respond.send_response(http::Response::new(()), true).unwrap(),
            }
        });
    }
}

const REFUSED: Step = Step::Reset(Reason::REFUSED_STREAM);

#[tokio::test]
async fn a_request_that_was_refused_unprocessed_is_retried_even_a_write() {
    let (url, client, bodies) = server(vec![REFUSED, REFUSED, Step::Answer]).await;
    let response = client.send(post(&url, whole("body"))).await.unwrap();
    assert_eq!(response.version(), http::Version::HTTP_2);
    assert_eq!(*bodies.lock().unwrap(), ["body", "body", "body"]);
}

#[tokio::test]
async fn retries_of_refused_requests_have_a_limit() {
    let (url, client, bodies) = server(vec![REFUSED, REFUSED, REFUSED, Step::Answer]).await;
    let error = client.send(post(&url, whole("body"))).await.unwrap_err();
    assert!(!error.is_connect());
    assert_eq!(bodies.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn a_request_that_may_have_been_carried_out_is_not_retried() {
    for reason in [Reason::INTERNAL_ERROR, Reason::CANCEL, Reason::NO_ERROR, Reason::ENHANCE_YOUR_CALM] {
        let (url, client, bodies) = server(vec![Step::Reset(reason), Step::Answer]).await;
        client.send(post(&url, whole("body"))).await.unwrap_err();
        assert_eq!(bodies.lock().unwrap().len(), 1, "{reason}");
    }
}

#[tokio::test]
async fn a_streamed_body_cannot_be_sent_twice() {
    let (url, client, bodies) = server(vec![REFUSED, Step::Answer]).await;
    let body = streamed(iter([Ok::<_, std::io::Error>(Bytes::from_static(b"body"))]));
    client.send(post(&url, body)).await.unwrap_err();
    assert_eq!(*bodies.lock().unwrap(), ["body"]);
}

/// Sends a request to a server that ends its first connection in good order as soon as a request comes.
///
/// The server names the last stream that it may have acted on. Its next connection sends a response. Returns
/// the number of requests that came.
async fn going_away(last_stream: u8) -> (Result<Response, Error>, usize) {
    let (server_tls, client_tls) = tls(&["h2"]);
    let acceptor = TlsAcceptor::from(Arc::new(server_tls));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(0));
    let seen = Arc::clone(&requests);
    let server = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = acceptor.accept(stream).await.unwrap();
            stream.read_exact(&mut [0; 24]).await.unwrap();
            // Send empty SETTINGS.
            stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
            // Read until HEADERS come.
            while {
                let mut head = [0; 9];
                stream.read_exact(&mut head).await.unwrap();
                let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
                stream.read_exact(&mut vec![0; length as usize]).await.unwrap();
                head[3] != 1
            } {}
            *seen.lock().unwrap() += 1;
            if *seen.lock().unwrap() == 1 {
                // Send GOAWAY with NO_ERROR.
                let frame = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, last_stream, 0, 0, 0, 0];
                stream.write_all(&frame).await.unwrap();
                stream.shutdown().await.unwrap();
            } else {
                // Send HEADERS with the end of the stream: `:status: 200`.
                stream.write_all(&[0, 0, 1, 1, 5, 0, 0, 0, 1, 0x88]).await.unwrap();
                return stream;
            }
        }
    });
    let result = client(client_tls, None, None).send(post(&url, whole("body"))).await;
    server.abort();
    let requests = *requests.lock().unwrap();
    (result, requests)
}

#[tokio::test]
async fn a_request_that_goaway_left_undone_is_retried_on_a_new_connection() {
    let (result, requests) = going_away(0).await;
    assert_eq!((result.unwrap().status(), requests), (http::StatusCode::OK, 2));
}

#[tokio::test]
async fn a_request_that_goaway_includes_may_have_been_carried_out() {
    let (result, requests) = going_away(1).await;
    assert!(!result.unwrap_err().is_connect());
    assert_eq!(requests, 1);
}
