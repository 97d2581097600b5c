//! The table of faults.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::Outcome::{Answer, Broken, Late, NoConnection, TooLarge};
use crate::Step::{Cut, Drip, Flood, HalfClose, Request, Reset, Send, Serve, Stall};
use crate::http2::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PADDED, PING, PUSH_PROMISE,
    RST_STREAM, SETTINGS, WINDOW_UPDATE, block, frame, head,
};
use crate::server::{response, whole};
use crate::{FAULTY, Fault, Layer, Outcome, Step};

/// All faults: those of HTTP/1.1, then those of TLS and HTTP/2.
pub(crate) fn table() -> Vec<Fault> {
    let plain = [stalls(), cuts(), lengths(), chunks(), codings(), heads(), status_lines(), order()];
    let tls = [handshakes(), tls_ends()];
    let http2 = [http2_connections(), http2_frames(), http2_heads(), http2_resets(), http2_floods()];
    plain.into_iter().chain(tls).chain(http2).flatten().collect()
}

fn fault(
    layer: Layer,
    name: impl Into<String>,
    steps: impl Into<Vec<Step>>,
    outcomes: &'static [Outcome],
) -> Fault {
    Fault { name: name.into(), layer, steps: steps.into(), outcomes }
}

fn send(bytes: impl AsRef<[u8]>) -> Step {
    Send(bytes.as_ref().to_vec())
}

/// Returns faults over plain HTTP/1.1, which are played after the server has read a request.
fn after_request<const N: usize>(
    rows: [(&str, Vec<Step>, &'static [Outcome]); N],
) -> impl Iterator<Item = Fault> {
    rows.into_iter()
        .map(|(name, steps, outcomes)| fault(Layer::Plain, name, [vec![Request], steps].concat(), outcomes))
}

const STATUS: &str = "HTTP/1.1 200 OK\r\n";
const CHUNKED: &str = "transfer-encoding: chunked\r\n";

fn announced(length: usize) -> String {
    format!("content-length: {length}\r\n")
}

/// Sends a response whose body has the right length, and whose head has these lines.
fn with(lines: &str) -> Step {
    Send(response(&(announced(FAULTY.len()) + lines), FAULTY))
}

fn chunk(bytes: &str) -> String {
    format!("{:x}\r\n{bytes}\r\n", bytes.len())
}

fn stalls() -> Vec<Fault> {
    let half = &FAULTY[..20];
    after_request([
        ("no head", vec![Stall], &[Late]),
        ("half a status line", vec![send("HTTP/1.1 2"), Stall], &[Late]),
        ("half a head", vec![send(STATUS), send("content-type: appl"), Stall], &[Late]),
        ("a head without its empty line", vec![send(STATUS), send("a: b\r\n"), Stall], &[Late]),
        ("a head that drips", vec![send(STATUS), send("x: "), Drip(b"y".to_vec())], &[Late]),
        ("headers that drip", vec![send(STATUS), Drip(b"x: y\r\n".to_vec())], &[Late]),
        ("no body", vec![Send(response(&announced(52), "")), Stall], &[Late]),
        ("half a body", vec![Send(response(&announced(FAULTY.len()), half)), Stall], &[Late]),
        ("a body that drips", vec![Send(response(&announced(100_000), "")), Drip(b" ".to_vec())], &[Late]),
        ("no chunk", vec![Send(response(CHUNKED, "")), Stall], &[Late]),
        ("half a chunk size", vec![Send(response(CHUNKED, "3")), Stall], &[Late]),
        ("half a chunk", vec![Send(response(CHUNKED, "40\r\n{")), Stall], &[Late]),
        ("no chunk after the first", vec![Send(response(CHUNKED, chunk(FAULTY))), Stall], &[Late]),
        ("half a last chunk", vec![Send(response(CHUNKED, chunk(FAULTY) + "0\r\n")), Stall], &[Late]),
        ("chunks that drip", vec![Send(response(CHUNKED, "")), Drip(b"1\r\n \r\n".to_vec())], &[Late]),
        (
            "a trailer that drips",
            vec![Send(response(CHUNKED, chunk(FAULTY) + "0\r\nx: ")), Drip(b"y".to_vec())],
            &[Late],
        ),
        (
            "a body that ends with a close that does not come",
            vec![Send(response("", FAULTY)), Stall],
            &[Late],
        ),
    ])
    .collect()
}

fn cuts() -> Vec<Fault> {
    let mut faults = vec![
        fault(Layer::Plain, "closed before the request", [], &[Broken, NoConnection]),
        fault(Layer::Plain, "reset before the request", [Reset], &[Broken, NoConnection]),
        fault(Layer::Plain, "half-closed before the request", [HalfClose], &[Broken, NoConnection]),
    ];
    let whole = String::from_utf8(whole()).unwrap();
    let chunked = String::from_utf8(response(CHUNKED, chunk(FAULTY) + "0\r\n\r\n")).unwrap();
    let places = [
        ("after the request", String::new()),
        ("in the status line", whole[..10].to_owned()),
        ("in the head", whole[..30].to_owned()),
        ("after the head", whole[..whole.len() - FAULTY.len()].to_owned()),
        ("in the body", whole[..whole.len() - 10].to_owned()),
        ("before the last byte", whole[..whole.len() - 1].to_owned()),
        ("in a chunk size", String::from_utf8(response(CHUNKED, "3")).unwrap()),
        ("in a chunk", chunked[..chunked.len() - 20].to_owned()),
        ("before the last chunk", chunked[..chunked.len() - 5].to_owned()),
        ("in the last chunk", chunked[..chunked.len() - 2].to_owned()),
    ];
    for (place, sent) in places {
        for (how, last) in [("closed", None), ("half-closed", Some(HalfClose)), ("reset", Some(Reset))] {
            let steps = [Request, send(&sent)].into_iter().chain(last).collect::<Vec<_>>();
            faults.push(fault(Layer::Plain, format!("{how} {place}"), steps, &[Broken]));
        }
    }
    faults
}

fn lengths() -> Vec<Fault> {
    let right = FAULTY.len();
    let mut faults: Vec<_> = after_request([
        ("a length that is too long", vec![Send(response(&announced(right + 1), FAULTY))], &[Broken]),
        (
            "a length that is too short",
            vec![Send(response(&announced(right - 1), FAULTY))],
            &[Broken, Answer],
        ),
        (
            "a length that is followed by more",
            vec![Send(response(&announced(right), FAULTY.to_owned() + "{}"))],
            &[Answer],
        ),
        (
            "a huge length",
            vec![Send(response(&announced(1_000_000_000_000_000), FAULTY))],
            &[Broken, TooLarge],
        ),
        ("the same length twice", vec![with(&announced(right))], &[Answer]),
        ("two lengths", vec![with(&announced(right + 1))], &[Broken]),
        (
            "two lengths in a line",
            vec![Send(response(&format!("content-length: {right}, {}\r\n", right + 1), FAULTY))],
            &[Broken],
        ),
        (
            "the same length twice in a line",
            vec![Send(response(&format!("content-length: {right}, {right}\r\n"), FAULTY))],
            &[Answer, Broken],
        ),
        (
            "a length and chunks",
            vec![Send(response(&(announced(3) + CHUNKED), chunk(FAULTY) + "0\r\n\r\n"))],
            &[Answer, Broken],
        ),
    ])
    .collect();
    for length in ["-1", "+52", "0x34", "52.0", "5 2", "", "x", "99999999999999999999999", "52;", "\u{664}"] {
        let sent = response(&format!("content-length: {length}\r\n"), FAULTY);
        faults.push(fault(Layer::Plain, format!("the length {length:?}"), [Request, Send(sent)], &[Broken]));
    }
    faults
}

fn chunks() -> Vec<Fault> {
    let mut faults: Vec<_> = after_request([
        (
            "endless chunks",
            vec![Send(response(CHUNKED, "")), Flood(chunk(&" ".repeat(65_536)).into_bytes())],
            &[TooLarge, Late],
        ),
        (
            "an endless chunk size",
            vec![Send(response(CHUNKED, "")), Flood(vec![b'0'; 16_384])],
            &[Broken, TooLarge, Late],
        ),
        (
            "an endless chunk extension",
            vec![Send(response(CHUNKED, "1;")), Flood(vec![b'x'; 16_384])],
            &[Broken, TooLarge],
        ),
        (
            "an endless trailer",
            vec![Send(response(CHUNKED, chunk(FAULTY) + "0\r\n")), Flood(b"x: y\r\n".repeat(3_000))],
            &[Broken, TooLarge],
        ),
        ("a body without end", vec![Send(response("", "[")), Flood(vec![b' '; 65_536])], &[TooLarge, Late]),
        (
            "a chunk extension",
            vec![Send(response(CHUNKED, format!("{:x};a=b\r\n{FAULTY}\r\n0\r\n\r\n", FAULTY.len())))],
            &[Answer],
        ),
        (
            "a trailer",
            vec![Send(response(CHUNKED, chunk(FAULTY) + "0\r\nx-sum: 1\r\n\r\n")), Serve],
            &[Answer],
        ),
        (
            "a trailer that is no header",
            vec![Send(response(CHUNKED, chunk(FAULTY) + "0\r\nno header\r\n\r\n"))],
            &[Broken, Answer],
        ),
    ])
    .collect();
    for (name, sent) in [
        ("a chunk size that is no number", "xyz\r\n{}\r\n0\r\n\r\n"),
        ("a negative chunk size", "-2\r\n{}\r\n0\r\n\r\n"),
        ("a chunk size in hexadecimal notation", "0x2\r\n{}\r\n0\r\n\r\n"),
        ("an empty chunk size", "\r\n{}\r\n0\r\n\r\n"),
        ("a chunk size that overflows", "fffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
        ("a chunk that is longer than its size", "1\r\n{}\r\n0\r\n\r\n"),
        ("a chunk without its line end", "2\r\n{}0\r\n\r\n"),
        ("a chunk size without its line end", "2{}\r\n0\r\n\r\n"),
        ("a carriage return alone", "2\r{}\r\n0\r\n\r\n"),
    ] {
        faults.push(fault(Layer::Plain, name, [Request, Send(response(CHUNKED, sent))], &[Broken]));
    }
    faults
}

fn codings() -> Vec<Fault> {
    let gzip = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let good = gzip(FAULTY.as_bytes());
    let mut wrong_sum = good.clone();
    let sum = wrong_sum.len() - 8;
    wrong_sum[sum] ^= 1;
    let coded = |coding: &str, body: &[u8]| {
        Send(response(&(format!("content-encoding: {coding}\r\n") + &announced(body.len())), body))
    };
    after_request([
        ("half a gzip", vec![coded("gzip", &good[..good.len() / 2])], &[Broken]),
        ("half a gzip header", vec![coded("gzip", &good[..5])], &[Broken]),
        ("a gzip without its checksum", vec![coded("gzip", &good[..good.len() - 8])], &[Broken]),
        ("a gzip with a wrong checksum", vec![coded("gzip", &wrong_sum)], &[Broken]),
        ("no gzip", vec![coded("gzip", FAULTY.as_bytes())], &[Broken]),
        ("half a brotli", vec![coded("br", &b"\x0b\x02\x80hello\x03"[..6])], &[Broken]),
        ("no brotli", vec![coded("br", FAULTY.as_bytes())], &[Broken]),
        ("half a zstd", vec![coded("zstd", &[0x28, 0xb5, 0x2f, 0xfd, 0x24])], &[Broken]),
        ("no zstd", vec![coded("zstd", FAULTY.as_bytes())], &[Broken]),
        ("a bomb", vec![coded("gzip", &gzip(&vec![b' '; 4 << 20]))], &[TooLarge, Broken]),
        (
            "a gzip that stalls",
            vec![
                Send(response(
                    &("content-encoding: gzip\r\n".to_owned() + &announced(good.len())),
                    &good[..20],
                )),
                Stall,
            ],
            &[Late],
        ),
        (
            "a transfer coding that was not requested",
            vec![Send(response("transfer-encoding: gzip, chunked\r\n", chunk(FAULTY) + "0\r\n\r\n"))],
            &[Broken],
        ),
        (
            "chunks in chunks",
            vec![Send(response("transfer-encoding: chunked, chunked\r\n", chunk(FAULTY) + "0\r\n\r\n"))],
            &[Broken],
        ),
    ])
    .collect()
}

fn heads() -> Vec<Fault> {
    let many = |count: usize| (0..count).map(|index| format!("x-{index}: y\r\n")).collect::<String>();
    let long = |length: usize| format!("x-long: {}\r\n", "y".repeat(length));
    after_request([
        ("endless headers", vec![send(STATUS), Flood(b"x: y\r\n".repeat(3_000))], &[TooLarge]),
        ("an endless header", vec![send(STATUS), send("x: "), Flood(vec![b'y'; 16_384])], &[TooLarge]),
        ("an endless header name", vec![send(STATUS), Flood(vec![b'y'; 16_384])], &[TooLarge]),
        ("an endless status line", vec![send("HTTP/1.1 200 "), Flood(vec![b'y'; 16_384])], &[TooLarge]),
        ("endless empty lines", vec![Flood(b"\r\n".repeat(500))], &[Broken, TooLarge, Late]),
        ("1,000 headers", vec![with(&many(1_000)), Serve], &[Answer]),
        ("20,000 headers", vec![with(&many(20_000))], &[TooLarge]),
        ("40,000 equal headers", vec![with(&"x: y\r\n".repeat(40_000))], &[TooLarge]),
        ("a header of 60,000 bytes", vec![with(&long(60_000)), Serve], &[Answer]),
        ("a header of 70,000 bytes", vec![with(&long(70_000))], &[TooLarge]),
        ("a header of 1,000,000 bytes", vec![with(&long(1_000_000))], &[TooLarge]),
        ("a folded header", vec![with("x-a: b\r\n c\r\n\td\r\n"), Serve], &[Answer]),
        ("a blank before the colon", vec![with("x-a : b\r\n"), Serve], &[Answer]),
        ("a header without a colon", vec![with("x-a\r\n")], &[Broken]),
        ("a header without a name", vec![with(": b\r\n")], &[Broken]),
        ("a blank in a header name", vec![with("x a: b\r\n")], &[Broken]),
        ("NUL in a header", vec![with("x-a: b\0c\r\n")], &[Broken]),
        ("a carriage return in a header", vec![with("x-a: b\rc\r\n")], &[Broken]),
        (
            "bytes that are no UTF-8 in a header",
            vec![
                Send(
                    [
                        STATUS.as_bytes(),
                        b"x-a: \xff\xfe\r\ncontent-type: application/json\r\ncontent-length: 51\r\n\r\n",
                        FAULTY.as_bytes(),
                    ]
                    .concat(),
                ),
                Serve,
            ],
            &[Answer],
        ),
    ])
    .collect()
}

fn status_lines() -> Vec<Fault> {
    let rest = format!("content-type: application/json\r\n{}\r\n{FAULTY}", announced(FAULTY.len()));
    let mut faults: Vec<_> = [
        "HTTP/2 200 OK",
        "HTTP/1.9 200 OK",
        "HTTP/3.0 200 OK",
        "http/1.1 200 OK",
        "HTTP/1.1 99 Low",
        "HTTP/1.1 1000 High",
        "HTTP/1.1 2x0 OK",
        "HTTP/1.1 -20 OK",
        "HTTP/1.1  200 OK",
        "HTTP/1.1200 OK",
        "HTTP/1.1",
        "200 OK",
        "ICY 200 OK",
        "GET / HTTP/1.1",
    ]
    .into_iter()
    .map(|line| {
        fault(
            Layer::Plain,
            format!("the status line {line:?}"),
            [Request, send(format!("{line}\r\n{rest}"))],
            &[Broken],
        )
    })
    .collect();
    faults.extend(after_request([
        ("a status line without a reason", vec![send(format!("HTTP/1.1 200\r\n{rest}")), Serve], &[Answer]),
        (
            "HTTP/1.0",
            vec![send(format!("HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n{FAULTY}"))],
            &[Answer],
        ),
        ("HTTP/0.9", vec![send(FAULTY)], &[Broken]),
        ("another protocol", vec![send("220 mail.example ESMTP\r\n")], &[Broken]),
        ("a TLS alert", vec![send([21, 3, 1, 0, 2, 2, 22])], &[Broken]),
        ("HTTP/2 frames", vec![Send(frame(SETTINGS, 0, 0, &[]))], &[Broken]),
        ("NUL bytes", vec![send([0; 100])], &[Broken]),
        ("a body and no head", vec![send(format!("\r\n\r\n{FAULTY}"))], &[Broken]),
    ]));
    faults
}

fn order() -> Vec<Fault> {
    let interim = |status: &str| send(format!("HTTP/1.1 {status}\r\n\r\n"));
    let mut faults: Vec<_> = after_request([
        ("a 100 that was not requested", vec![interim("100 Continue"), Send(whole()), Serve], &[Answer]),
        (
            "early hints",
            vec![send("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"), Send(whole()), Serve],
            &[Answer],
        ),
        (
            "100 interim responses",
            vec![send("HTTP/1.1 102 Processing\r\n\r\n".repeat(100)), Send(whole()), Serve],
            &[Answer],
        ),
        (
            "endless interim responses",
            vec![Flood(b"HTTP/1.1 100 Continue\r\n\r\n".repeat(50))],
            &[Late, Broken, TooLarge],
        ),
        ("interim responses that drip", vec![Drip(b"HTTP/1.1 102 Processing\r\n\r\n".to_vec())], &[Late]),
        ("an interim response and no other", vec![interim("100 Continue")], &[Broken]),
        (
            "a 101 that was not requested",
            vec![
                send("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n"),
                Stall,
            ],
            &[Broken],
        ),
        ("two responses", vec![Send([whole(), whole()].concat()), Serve], &[Answer]),
        ("a second response later", vec![Send(whole()), Send(whole()), Serve], &[Answer]),
        (
            "a response and half of another",
            vec![Send([whole(), b"HTTP/1.1 2".to_vec()].concat()), Stall],
            &[Answer],
        ),
        ("a response and rubbish", vec![Send([whole(), b"\0\0\0".to_vec()].concat()), Stall], &[Answer]),
        ("a response and a close", vec![Send(whole())], &[Answer]),
        ("a response and a half-close", vec![Send(whole()), HalfClose], &[Answer]),
        ("a response and a reset", vec![Send(whole()), Reset], &[Answer, Broken]),
    ])
    .collect();
    faults.push(fault(
        Layer::Plain,
        "a response before the request",
        [Send(whole()), Request, Serve],
        &[Answer, Broken, NoConnection],
    ));
    faults
}

fn handshakes() -> Vec<Fault> {
    [
        ("no handshake", vec![Stall], &[Late, NoConnection][..]),
        ("a handshake that drips", vec![Drip(vec![22])], &[Late, NoConnection]),
        ("plain HTTP", vec![Send(whole())], &[NoConnection]),
        ("rubbish", vec![send([0; 100])], &[NoConnection]),
        ("an alert", vec![send([21, 3, 3, 0, 2, 2, 40])], &[NoConnection]),
        ("half a record", vec![send([22, 3, 3, 0, 100, 2])], &[NoConnection]),
        (
            "a record of the largest size",
            vec![send([22, 3, 3, 255, 255]), Flood(vec![0; 1_000])],
            &[NoConnection],
        ),
        ("a close", vec![], &[NoConnection]),
        ("a reset", vec![Reset], &[NoConnection]),
    ]
    .into_iter()
    .map(|(name, steps, outcomes)| fault(Layer::NoTls, format!("instead of TLS: {name}"), steps, outcomes))
    .collect()
}

fn tls_ends() -> Vec<Fault> {
    let half = &FAULTY[..20];
    [
        ("closed after the request", vec![Request], &[Broken][..]),
        ("cut after the request", vec![Request, Cut], &[Broken]),
        ("closed in the body", vec![Request, Send(response(&announced(52), half))], &[Broken]),
        ("cut in the body", vec![Request, Send(response(&announced(52), half)), Cut], &[Broken]),
        ("reset in the body", vec![Request, Send(response(&announced(52), half)), Reset], &[Broken]),
        ("cut before the last chunk", vec![Request, Send(response(CHUNKED, chunk(FAULTY))), Cut], &[Broken]),
        ("a body that ends with a close", vec![Request, Send(response("", FAULTY))], &[Answer]),
        ("a body that ends with a cut", vec![Request, Send(response("", FAULTY)), Cut], &[Broken]),
        ("cut after the response", vec![Request, Send(whole()), Cut], &[Answer]),
        ("stalled in the body", vec![Request, Send(response(&announced(52), half)), Stall], &[Late]),
    ]
    .into_iter()
    .map(|(name, steps, outcomes)| fault(Layer::Tls, format!("TLS: {name}"), steps, outcomes))
    .collect()
}

fn over_http2<const N: usize>(rows: [(&str, Vec<Step>, &'static [Outcome]); N]) -> Vec<Fault> {
    rows.into_iter()
        .map(|(name, steps, outcomes)| fault(Layer::Http2, format!("HTTP/2: {name}"), steps, outcomes))
        .collect()
}

/// Returns a DATA frame of the only stream of a connection.
fn data(flags: u8, bytes: &str) -> Vec<u8> {
    frame(DATA, flags, 1, bytes.as_bytes())
}

fn goes_away(last_stream: u32, code: u32) -> Vec<u8> {
    frame(GOAWAY, 0, 0, &[last_stream.to_be_bytes(), code.to_be_bytes()].concat())
}

fn http2_connections() -> Vec<Fault> {
    let answered = || [head(1, 0, &[]), data(END_STREAM, FAULTY)].concat();
    over_http2([
        ("silence", vec![Stall], &[Late]),
        ("a close", vec![], &[Broken]),
        ("a reset", vec![Reset], &[Broken]),
        ("HTTP/1.1", vec![Send(whole()), Stall], &[Broken]),
        ("rubbish", vec![send([255; 100]), Stall], &[Broken]),
        ("no head", vec![Request, Stall], &[Late]),
        ("closed after the request", vec![Request], &[Broken]),
        ("cut after the request", vec![Request, Cut], &[Broken]),
        ("half a frame head", vec![Request, send([0, 0]), Stall], &[Late]),
        ("half a head", vec![Request, Send(head(1, 0, &[])[..12].to_vec()), Stall], &[Late]),
        (
            "a head without its end",
            vec![Request, Send(frame(HEADERS, 0, 1, &block(&[(":status", "200")]))), Stall],
            &[Late],
        ),
        ("a body that does not come", vec![Request, Send(head(1, 0, &[])), Stall], &[Late]),
        ("half a body", vec![Request, Send(head(1, 0, &[])), Send(data(0, &FAULTY[..20])), Stall], &[Late]),
        (
            "half a data frame",
            vec![Request, Send(head(1, 0, &[])), Send(data(0, FAULTY)[..20].to_vec()), Stall],
            &[Late],
        ),
        ("closed in the body", vec![Request, Send(head(1, 0, &[])), Send(data(0, FAULTY))], &[Broken]),
        ("cut in the body", vec![Request, Send(head(1, 0, &[])), Send(data(0, FAULTY)), Cut], &[Broken]),
        ("GOAWAY instead of a response", vec![Request, Send(goes_away(1, 0))], &[Broken]),
        ("GOAWAY that processed nothing", vec![Request, Send(goes_away(0, 0))], &[Answer]),
        ("GOAWAY with an error", vec![Request, Send(goes_away(0, 2))], &[Broken]),
        (
            "GOAWAY in the body",
            vec![Request, Send(head(1, 0, &[])), Send(data(0, FAULTY)), Send(goes_away(0, 0)), Stall],
            &[Broken],
        ),
        (
            "GOAWAY and the rest of the response",
            vec![Request, Send(goes_away(1, 0)), Send(answered())],
            &[Answer],
        ),
        (
            "GOAWAY twice, with a higher stream",
            vec![Request, Send(goes_away(1, 0)), Send(goes_away(9, 0)), Send(answered())],
            &[Answer, Broken],
        ),
        ("a response and a close", vec![Request, Send(answered())], &[Answer]),
        (
            "a response and rubbish",
            vec![Request, Send(answered()), send([255; 100]), Stall],
            &[Answer, Broken],
        ),
        (
            "a response in two frames",
            vec![Request, Send(head(1, 0, &[])), Send(data(0, FAULTY)), Send(data(END_STREAM, "")), Serve],
            &[Answer],
        ),
        (
            "a response after a PING",
            vec![Request, Send(frame(PING, 0, 0, &[7; 8])), Send(answered()), Serve],
            &[Answer],
        ),
    ])
}

fn http2_frames() -> Vec<Fault> {
    let begun = |then: Vec<u8>| vec![Request, Send(head(1, 0, &[])), Send(then), Stall];
    let instead = |frame: Vec<u8>| vec![Request, Send(frame), Stall];
    over_http2([
        (
            "a frame of 16 MB",
            begun([&[255, 255, 255, DATA, 0, 0, 0, 0, 1][..], &[0; 1_000]].concat()),
            &[Broken],
        ),
        ("a frame over the limit", begun(data(0, &" ".repeat(16_385))), &[Broken]),
        ("data before the head", instead(data(END_STREAM, FAULTY)), &[Broken]),
        ("data of stream 0", begun(frame(DATA, END_STREAM, 0, FAULTY.as_bytes())), &[Broken]),
        (
            "data of a stream that is not open",
            begun(frame(DATA, END_STREAM, 7, FAULTY.as_bytes())),
            &[Broken],
        ),
        ("data of a stream of the server's", begun(frame(DATA, END_STREAM, 2, FAULTY.as_bytes())), &[Broken]),
        ("data that is all padding", begun(frame(DATA, PADDED, 1, &[200, 1, 2])), &[Broken]),
        (
            "a head of stream 0",
            instead(frame(HEADERS, END_HEADERS, 0, &block(&[(":status", "200")]))),
            &[Broken],
        ),
        ("a head of a stream that is not open", instead(head(7, END_STREAM, &[])), &[Broken]),
        ("CONTINUATION without HEADERS", instead(frame(CONTINUATION, END_HEADERS, 1, &[])), &[Broken]),
        (
            "a frame between HEADERS and CONTINUATION",
            instead(
                [frame(HEADERS, 0, 1, &block(&[(":status", "200")])), frame(PING, 0, 0, &[0; 8])].concat(),
            ),
            &[Broken],
        ),
        (
            "a promise",
            instead(frame(
                PUSH_PROMISE,
                END_HEADERS,
                1,
                &[&[0, 0, 0, 2][..], &block(&[(":method", "GET")])].concat(),
            )),
            &[Broken],
        ),
        ("settings of 5 bytes", instead(frame(SETTINGS, 0, 0, &[0; 5])), &[Broken]),
        ("settings of a stream", instead(frame(SETTINGS, 0, 1, &[])), &[Broken]),
        (
            "settings with a window that is too large",
            instead(frame(SETTINGS, 0, 0, &[0, 4, 255, 255, 255, 255])),
            &[Broken],
        ),
        (
            "settings with a frame size that is too small",
            instead(frame(SETTINGS, 0, 0, &[0, 5, 0, 0, 0, 1])),
            &[Broken],
        ),
        ("settings that acknowledge with a payload", instead(frame(SETTINGS, ACK, 0, &[0; 6])), &[Broken]),
        ("PING of 7 bytes", instead(frame(PING, 0, 0, &[0; 7])), &[Broken]),
        ("a window that overflows", instead(frame(WINDOW_UPDATE, 0, 0, &[127, 255, 255, 255])), &[Broken]),
        (
            "a window of the stream that overflows",
            instead(frame(WINDOW_UPDATE, 0, 1, &[127, 255, 255, 255])),
            &[Broken, Late],
        ),
        ("a window that grows by nothing", instead(frame(WINDOW_UPDATE, 0, 0, &[0; 4])), &[Broken]),
        ("RST_STREAM of 3 bytes", instead(frame(RST_STREAM, 0, 1, &[0; 3])), &[Broken]),
        ("RST_STREAM of stream 0", instead(frame(RST_STREAM, 0, 0, &[0; 4])), &[Broken]),
        ("GOAWAY of 7 bytes", instead(frame(GOAWAY, 0, 0, &[0; 7])), &[Broken]),
        (
            "an unknown frame",
            vec![
                Request,
                Send(frame(99, 255, 1, b"?")),
                Send(head(1, 0, &[])),
                Send(data(END_STREAM, FAULTY)),
                Serve,
            ],
            &[Answer],
        ),
    ])
}

fn http2_heads() -> Vec<Fault> {
    let only = |headers: &[(&str, &str)]| {
        let frames = [frame(HEADERS, END_HEADERS, 1, &block(headers)), data(END_STREAM, FAULTY)];
        vec![Request, Send(frames.concat()), Serve]
    };
    let with = |more: &[(&str, &str)]| {
        vec![Request, Send([head(1, 0, more), data(END_STREAM, FAULTY)].concat()), Serve]
    };
    let long = "y".repeat(16_000);
    // Every client accepts frames of this size.
    let split = |headers: &[(&str, &str)]| {
        let block = block(&[&[(":status", "200"), ("content-type", "application/json")], headers].concat());
        let pieces: Vec<_> = block.chunks(16_000).collect();
        let frames = pieces.iter().enumerate().flat_map(|(index, piece)| {
            let kind = if index == 0 { HEADERS } else { CONTINUATION };
            frame(kind, if index + 1 == pieces.len() { END_HEADERS } else { 0 }, 1, piece)
        });
        vec![Request, Send(frames.chain(data(END_STREAM, FAULTY)).collect()), Serve]
    };
    let right = FAULTY.len().to_string();
    over_http2([
        ("a head without a status", only(&[("content-type", "application/json")]), &[Broken]),
        ("a status that is no number", only(&[(":status", "ok")]), &[Broken]),
        ("a status of two digits", only(&[(":status", "99")]), &[Broken]),
        ("two statuses", only(&[(":status", "200"), (":status", "201")]), &[Broken]),
        ("an unknown pseudo-header", with(&[(":colour", "red")]), &[Broken]),
        ("a pseudo-header of requests", only(&[(":status", "200"), (":path", "/")]), &[Broken, Answer]),
        ("a status after another header", only(&[("a", "b"), (":status", "200")]), &[Broken]),
        ("a name in upper case", with(&[("X-A", "b")]), &[Broken]),
        ("a name with a blank", with(&[("x a", "b")]), &[Broken]),
        ("a line end in a value", with(&[("x-a", "b\r\nc: d")]), &[Broken]),
        ("a header of the connection", with(&[("connection", "close")]), &[Broken]),
        ("a transfer coding", with(&[("transfer-encoding", "chunked")]), &[Broken]),
        (
            "an index that is not in the table",
            vec![Request, Send(frame(HEADERS, END_HEADERS, 1, &[0xff, 0x7f])), Stall],
            &[Broken],
        ),
        (
            "a header block that ends in the middle",
            vec![Request, Send(frame(HEADERS, END_HEADERS, 1, &[0x88, 0, 50, b'x'])), Stall],
            &[Broken],
        ),
        (
            "an integer that overflows",
            vec![Request, Send(frame(HEADERS, END_HEADERS, 1, &[0xff; 20])), Stall],
            &[Broken],
        ),
        ("a head of 48 KB", split(&[("x-1", &long), ("x-2", &long), ("x-3", &long)]), &[Answer]),
        (
            "a head of 80 KB",
            split(&[("x-1", &long), ("x-2", &long), ("x-3", &long), ("x-4", &long), ("x-5", &long)]),
            &[TooLarge],
        ),
        ("a head of 800 KB", split(&[("x", long.as_str()); 50]), &[TooLarge, Broken]),
        (
            "a head that depends on itself",
            vec![
                Request,
                Send(frame(
                    HEADERS,
                    END_HEADERS | 32,
                    1,
                    &[&[0, 0, 0, 1, 0][..], &block(&[(":status", "200")])].concat(),
                )),
                Send(data(END_STREAM, FAULTY)),
                Serve,
            ],
            &[Broken],
        ),
        (
            "a head that comes twice",
            vec![
                Request,
                Send(head(1, 0, &[])),
                Send(head(1, 0, &[])),
                Send(data(END_STREAM, FAULTY)),
                Stall,
            ],
            &[Broken],
        ),
        ("a length that is right", with(&[("content-length", &right)]), &[Answer]),
        ("a length that is too long", with(&[("content-length", "53")]), &[Broken]),
        ("a length that is too short", with(&[("content-length", "3")]), &[Broken]),
        ("a negative length", with(&[("content-length", "-1")]), &[Broken]),
        ("two lengths", with(&[("content-length", &right), ("content-length", "3")]), &[Broken]),
        (
            "a length and no body",
            vec![Request, Send(head(1, END_STREAM, &[("content-length", &right)])), Serve],
            &[Broken],
        ),
    ])
}

fn http2_resets() -> Vec<Fault> {
    let codes = [
        ("NO_ERROR", 0_u32),
        ("PROTOCOL_ERROR", 1),
        ("INTERNAL_ERROR", 2),
        ("STREAM_CLOSED", 5),
        ("REFUSED_STREAM", 7),
        ("CANCEL", 8),
        ("ENHANCE_YOUR_CALM", 11),
        ("HTTP_1_1_REQUIRED", 13),
        ("an unknown code", 1_000),
    ];
    let mut faults = Vec::new();
    for (name, code) in codes {
        let reset = frame(RST_STREAM, 0, 1, &code.to_be_bytes());
        let length = FAULTY.len().to_string();
        // The client retries a request that was refused unprocessed (RFC 9113 §8.7).
        let before: &[Outcome] = if name == "REFUSED_STREAM" { &[Answer] } else { &[Broken] };
        for (place, sent, outcomes) in [
            ("before the head", Vec::new(), before),
            ("after the head", head(1, 0, &[]), &[Broken][..]),
            ("in the body", [head(1, 0, &[]), data(0, FAULTY)].concat(), &[Broken]),
            (
                "in a body of known length",
                [head(1, 0, &[("content-length", &length)]), data(0, &FAULTY[..20])].concat(),
                &[Broken],
            ),
            ("after the response", [head(1, 0, &[]), data(END_STREAM, FAULTY)].concat(), &[Answer]),
        ] {
            let steps = [Request, Send([sent, reset.clone()].concat()), Serve];
            faults.push(fault(Layer::Http2, format!("HTTP/2: reset with {name} {place}"), steps, outcomes));
        }
    }
    faults
}

fn http2_floods() -> Vec<Fault> {
    let interim = frame(HEADERS, END_HEADERS, 1, &block(&[(":status", "103")]));
    let flood = |first: Vec<u8>, then: Vec<u8>| vec![Request, Send(first), Flood(then.repeat(20))];
    over_http2([
        ("endless settings", flood(vec![], frame(SETTINGS, 0, 0, &[])), &[Late, Broken]),
        ("endless PINGs", flood(vec![], frame(PING, 0, 0, &[0; 8])), &[Late, Broken]),
        ("endless interim responses", flood(vec![], interim), &[Late, Broken, TooLarge]),
        (
            "endless CONTINUATION",
            flood(
                frame(HEADERS, 0, 1, &block(&[(":status", "200")])),
                frame(CONTINUATION, 0, 1, &block(&[("x", "y")])),
            ),
            &[Broken, TooLarge],
        ),
        (
            "endless empty CONTINUATION",
            flood(frame(HEADERS, 0, 1, &block(&[(":status", "200")])), frame(CONTINUATION, 0, 1, &[])),
            &[Broken, TooLarge],
        ),
        ("endless empty data", flood(head(1, 0, &[]), data(0, "")), &[Late, Broken]),
        ("endless data", flood(head(1, 0, &[]), data(0, &" ".repeat(16_000))), &[TooLarge, Late, Broken]),
        ("endless windows", flood(vec![], frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])), &[Late, Broken]),
        ("endless unknown frames", flood(vec![], frame(99, 0, 0, &[0; 100])), &[Late, Broken]),
        ("endless priorities", flood(vec![], frame(2, 0, 1, &[0, 0, 0, 0, 1])), &[Late, Broken]),
        (
            "endless resets of closed streams",
            flood([head(1, 0, &[]), data(0, "{")].concat(), frame(RST_STREAM, 0, 1, &[0, 0, 0, 8])),
            &[Broken],
        ),
        ("PINGs that drip", vec![Request, Drip(frame(PING, 0, 0, &[0; 8]))], &[Late]),
        ("data that drips", vec![Request, Send(head(1, 0, &[])), Drip(data(0, " "))], &[Late]),
    ])
}
