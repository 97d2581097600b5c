//! The frames of HTTP/2 (RFC 9113 §4), written and read one by one.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::GOOD;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const PADDED: u8 = 8;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Returns a header block (RFC 7541 §6.2.2) of literals without Huffman coding. `:status: 200` is an index.
pub(crate) fn block(headers: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in headers {
        if (*name, *value) == (":status", "200") {
            block.push(0x88);
            continue;
        }
        block.push(0);
        for text in [name, value] {
            // An integer with a prefix of 7 bits (RFC 7541 §5.1).
            if text.len() < 127 {
                block.push(u8::try_from(text.len()).unwrap());
            } else {
                block.push(127);
                let mut rest = text.len() - 127;
                while rest >= 128 {
                    block.push(u8::try_from(rest % 128).unwrap() | 128);
                    rest /= 128;
                }
                block.push(u8::try_from(rest).unwrap());
            }
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// Returns the head of a response with JSON.
pub(crate) fn head(stream: u32, flags: u8, more: &[(&str, &str)]) -> Vec<u8> {
    let headers = [&[(":status", "200"), ("content-type", "application/json")], more].concat();
    frame(HEADERS, END_HEADERS | flags, stream, &block(&headers))
}

/// Begins a connection.
pub(crate) async fn open(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Option<()> {
    let mut preface = [0; PREFACE.len()];
    stream.read_exact(&mut preface).await.ok()?;
    assert_eq!(preface, PREFACE);
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await.ok()?;
    stream.flush().await.ok()
}

/// Reads up to the end of a request, and returns its stream.
pub(crate) async fn next_request(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Option<u32> {
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.ok()?;
        let [_, _, _, kind, flags, id @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        stream.read_exact(&mut payload).await.ok()?;
        let reply = match kind {
            SETTINGS if flags & ACK == 0 => frame(SETTINGS, ACK, 0, &[]),
            PING if flags & ACK == 0 => frame(PING, ACK, 0, &payload),
            HEADERS | DATA if flags & END_STREAM != 0 => return Some(u32::from_be_bytes(id)),
            _ => continue,
        };
        stream.write_all(&reply).await.ok()?;
        stream.flush().await.ok()?;
    }
}

/// Serves requests on a connection.
pub(crate) async fn serve(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Option<()> {
    loop {
        let id = next_request(stream).await?;
        let response = [head(id, 0, &[]), frame(DATA, END_STREAM, id, GOOD.as_bytes())].concat();
        stream.write_all(&response).await.ok()?;
        stream.flush().await.ok()?;
    }
}
