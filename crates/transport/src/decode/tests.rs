//! Tests the decoder alone: every split, every cut, every changed byte, and the work of one poll.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures::stream::iter;
use futures::{FutureExt, StreamExt};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use http_body_util::{BodyExt, Full, StreamBody};
use proptest::prelude::*;

use super::*;
use crate::tests::codings::*;

const MOST: usize = 64 << 20;

type Encode = fn(&[u8]) -> Vec<u8>;

fn whole(codings: &str, body: &[u8]) -> Result<Vec<u8>, DecodeError> {
    decode(codings, [body], MOST)
}

fn in_pieces(codings: &str, body: &[u8], size: usize) -> Result<Vec<u8>, DecodeError> {
    decode(codings, body.chunks(size), MOST)
}

/// Coded bodies of one text, each with the lengths to which it may be cut and still be complete.
fn samples() -> Vec<(&'static str, Vec<u8>, Vec<usize>)> {
    let (one, two) = (&TEXT[..100], &TEXT[100..]);
    let members = |first: Vec<u8>, second: Vec<u8>| {
        let end = first.len();
        ([first, second].concat(), vec![end])
    };
    let (gzips, gzip_ends) = members(gzip_with_header(one), gzip(two));
    let (brotlis, brotli_ends) = members(brotli(one), brotli(two));
    let (zstds, zstd_ends) = members(zstd_with_checksum(one), zstd_with_checksum(two));
    let with_zeros = [gzip(TEXT), vec![0; 5]].concat();
    let zeros_from = gzip(TEXT).len();
    vec![
        ("gzip", gzip(TEXT), vec![]),
        ("gzip", gzips, gzip_ends),
        ("gzip", with_zeros, (zeros_from..zeros_from + 5).collect()),
        ("deflate", zlib(TEXT), vec![]),
        ("deflate", deflate(TEXT), vec![]),
        ("br", brotli(TEXT), vec![]),
        ("br", brotlis, brotli_ends),
        ("zstd", zstd_with_checksum(TEXT), vec![]),
        ("zstd", zstds, zstd_ends),
        ("zstd", zstd_with_window(20, TEXT), vec![]),
        ("gzip, br", brotli(&gzip(TEXT)), vec![]),
        ("deflate, zstd, gzip", gzip(&zstd(&deflate(TEXT))), vec![]),
    ]
}

const TEXT: &[u8] = b"Lorem ipsum dolor sit amet, consetetur sadipscing elitr, sed diam nonumy eirmod tempor \
    invidunt ut labore et dolore magna aliquyam erat, sed diam voluptua. At vero eos et accusam et justo duo.";

#[test]
fn a_body_is_the_same_however_it_is_split() {
    for (codings, body, _) in samples() {
        for at in 0..=body.len() {
            let (start, end) = body.split_at(at);
            assert_eq!(decode(codings, [start, end], MOST).as_deref(), Ok(TEXT), "{codings} at {at}");
            assert_eq!(
                decode(codings, [b"", start, b"", end, b""], MOST).as_deref(),
                Ok(TEXT),
                "{codings} at {at}"
            );
        }
        for size in 1..10 {
            assert_eq!(in_pieces(codings, &body, size).as_deref(), Ok(TEXT), "{codings} by {size}");
        }
    }
}

#[test]
fn a_truncated_body_is_an_error() {
    for (codings, body, ends) in samples() {
        assert_eq!(whole(codings, b"").as_deref(), Ok(&b""[..]), "{codings}");
        for length in (1..body.len()).filter(|length| !ends.contains(length)) {
            for size in [1, length] {
                let read = in_pieces(codings, &body[..length], size);
                assert!(
                    matches!(read, Err(DecodeError::Truncated(_))),
                    "{codings} cut to {length} of {}: {read:?}",
                    body.len()
                );
            }
        }
    }
}

#[test]
fn a_byte_after_the_end_is_an_error() {
    for (codings, body, _) in samples() {
        for byte in 0..=u8::MAX {
            let longer = [&body[..], &[byte]].concat();
            match whole(codings, &longer) {
                Err(_) => {}
                // The byte is padding, or a shortest stream of brotli, which is empty.
                Ok(read) => {
                    assert_eq!(read, TEXT);
                    let outer = codings.rsplit(' ').next();
                    assert!(outer == Some("br") || outer == Some("gzip") && byte == 0, "{codings} {byte}");
                }
            }
        }
    }
}

#[test]
fn a_changed_byte_does_not_pass_a_checksum() {
    for (codings, body, _) in samples() {
        for (at, flip) in (0..body.len()).flat_map(|at| [1, 0x10, 0x80, 0xff].map(|flip| (at, flip))) {
            let mut changed = body.clone();
            changed[at] ^= flip;
            let (read, by_bytes) = (whole(codings, &changed), in_pieces(codings, &changed, 1));
            assert_eq!(read.is_ok(), by_bytes.is_ok(), "{codings} at {at}: {read:?}, {by_bytes:?}");
            if let Ok(read) = read {
                assert_eq!(Ok(&read), by_bytes.as_ref());
                let unchecked =
                    codings == "br" || body == deflate(TEXT) || body == zstd_with_window(20, TEXT);
                assert!(read == TEXT || unchecked, "{codings} at {at}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_coded_body_is_decoded(
        pieces in prop::collection::vec((any::<[u8; 7]>(), 1..5_000usize), 0..12),
        codings in prop::collection::vec(0..5usize, 1..=5),
        size in 1..100_000usize,
    ) {
        let body: Vec<u8> = pieces.iter().flat_map(|(piece, times)| piece.repeat(*times)).collect();
        let known: [(&str, Encode); 5] =
            [("gzip", gzip), ("deflate", zlib), ("deflate", deflate), ("br", brotli), ("zstd", zstd)];
        let coded = codings.iter().fold(body.clone(), |body, coding| known[*coding].1(&body));
        let names: Vec<_> = codings.iter().map(|coding| known[*coding].0).collect();
        prop_assert!(in_pieces(&names.join(", "), &coded, size) == Ok(body));
    }

    #[test]
    fn any_bytes_are_read_alike_in_one_piece_and_in_many(
        start in prop::sample::select(vec![&b""[..], b"\x1f\x8b\x08\0", b"\x78\x9c", b"\x28\xb5\x2f\xfd", b"\x0b"]),
        rest in prop::collection::vec(any::<u8>(), 0..200),
        codings in prop::sample::select(vec!["gzip", "deflate", "br", "zstd", "zstd, br"]),
        size in 1..50usize,
    ) {
        let body = [start, &rest].concat();
        prop_assert_eq!(whole(codings, &body).ok(), in_pieces(codings, &body, size).ok());
    }
}

#[test]
fn a_window_beyond_http_is_refused_before_it_is_filled() {
    for log in 24..=27 {
        let body = zstd_with_window(log, TEXT);
        for size in [1, 5, body.len()] {
            assert_eq!(in_pieces("zstd", &body, size), Err(DecodeError::Window("zstd")), "{log}");
        }
    }
    // A frame of 256 times x, which fits into one chunk. libzstd alone would decode the frame.
    let known_size = b"\x28\xb5\x2f\xfd\x40\x88\0\0\x03\x08\0x";
    for size in [1, 5, 100] {
        assert_eq!(in_pieces("zstd", known_size, size), Err(DecodeError::Window("zstd")));
    }
    let second = [zstd(b"one"), zstd_with_window(27, b"two")].concat();
    assert_eq!(whole("zstd", &second), Err(DecodeError::Window("zstd")));
    assert_eq!(whole("br", &brotli_with_large_window(TEXT)), Err(DecodeError::Window("br")));
}

#[test]
fn each_fault_has_its_own_error() {
    let six = ["gzip"; 6].join(",");
    for (codings, body, error) in [
        ("gzip", b"{}".to_vec(), "the gzip coding of its body is damaged: Invalid gzip header"),
        ("gzip", gzip(b"x")[..9].to_vec(), "its body ends in the middle of the gzip coding"),
        (
            "deflate",
            [zlib(b"x"), zlib(b"y")].concat(),
            "bytes follow the end of the deflate coding of its body",
        ),
        ("x-gzip", [&gzip(b"x")[..], b"<p>"].concat(), "bytes follow the end of the gzip coding of its body"),
        (
            "zstd",
            zstd_with_window(24, b"x"),
            "the zstd coding of its body has a larger window than HTTP allows",
        ),
        (&six, vec![], "its body has 6 content codings, more than 5"),
    ] {
        assert_eq!(whole(codings, &body).unwrap_err().to_string(), error);
    }
}

#[test]
fn a_bomb_between_two_codings_is_refused() {
    // The frames are skipped: the data between the codings is large, and the output is empty.
    let skippable = [&b"\x50\x2a\x4d\x18\0\0\x01\0"[..], &[0; 1 << 16]].concat().repeat(40);
    assert_eq!(whole("zstd", &skippable).as_deref(), Ok(&b""[..]));
    assert_eq!(whole("zstd, br", &brotli(&skippable)), Err(DecodeError::Expansion(200)));
}

/// Returns a coded body of these chunks, and the number of chunks that were read.
fn coded(
    codings: &'static str,
    chunks: Vec<Vec<u8>>,
    max_expansion: Option<u64>,
) -> (impl http_body::Body<Data = Bytes, Error = BoxError> + Unpin, Arc<AtomicUsize>) {
    let read = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&read);
    let chunks = iter(chunks).map(move |chunk| {
        count.fetch_add(1, Ordering::Relaxed);
        Ok::<_, BoxError>(Frame::data(Bytes::from(chunk)))
    });
    let mut headers = HeaderMap::from_iter([(CONTENT_ENCODING, codings.parse().unwrap())]);
    (Decoded::new(&mut headers, StreamBody::new(chunks), max_expansion), read)
}

#[test]
fn a_poll_does_a_bounded_amount_of_work() {
    let empty_members = [gzip(b"").repeat(10_000), gzip(b"end")].concat();
    let (mut body, _) = coded("gzip", vec![empty_members], None);
    let mut context = Context::from_waker(Waker::noop());
    let mut turns = 0;
    let chunk = loop {
        match Pin::new(&mut body).poll_frame(&mut context) {
            Poll::Ready(frame) => break frame.unwrap().unwrap().into_data().unwrap(),
            Poll::Pending => turns += 1,
        }
    };
    assert_eq!(chunk, "end");
    assert!(turns >= 10_000 / STEPS_PER_POLL, "{turns}");
}

#[test]
fn the_decoder_reads_only_on_demand() {
    let zeros = gzip(&vec![0; 10 << 20]);
    let (mut body, read) = coded("gzip", zeros.chunks(1_000).map(<[u8]>::to_vec).collect(), None);
    let mut size = 0;
    while let Some(frame) = body.frame().now_or_never().expect("a chunk is there") {
        let chunk = frame.unwrap().into_data().unwrap();
        assert!(!chunk.is_empty() && chunk.len() <= 8 << 10, "{}", chunk.len());
        size += chunk.len();
        // A kilobyte becomes about a megabyte.
        assert!(read.load(Ordering::Relaxed) <= size / (900 << 10) + 2);
    }
    assert_eq!(size, 10 << 20);
}

#[test]
fn the_expansion_is_limited_beyond_the_first_mebibyte() {
    let read = |size: usize, limit: Option<u64>| {
        let (body, _) = coded("gzip", vec![gzip(&vec![0; size])], limit);
        let read = body.collect().now_or_never().expect("all of it is there");
        read.map(|read| read.to_bytes().len()).map_err(|error| *error.downcast::<DecodeError>().unwrap())
    };
    // Zeros shrink to about a thousandth.
    assert_eq!(read(1 << 20, Some(1)), Ok(1 << 20));
    assert_eq!(read(3 << 20, Some(900)), Ok(3 << 20));
    assert_eq!(read(3 << 20, None), Ok(3 << 20));
    assert_eq!(read(3 << 20, Some(200)), Err(DecodeError::Expansion(200)));
}

#[tokio::test]
async fn data_before_a_fault_is_not_lost() {
    let mut wrong_sum = gzip(TEXT);
    let sum_at = wrong_sum.len() - 8;
    wrong_sum[sum_at] ^= 1;
    let garbage = [&gzip(TEXT)[..], b"garbage"].concat();
    let cut = gzip(TEXT)[..sum_at].to_vec();
    for (name, body) in [("wrong sum", wrong_sum), ("garbage", garbage), ("cut", cut)] {
        let by_bytes = body.chunks(1).map(<[u8]>::to_vec).collect();
        for chunks in [vec![body], by_bytes] {
            let (mut body, _) = coded("gzip", chunks, None);
            let mut read = Vec::new();
            while let Some(Ok(frame)) = body.frame().await {
                read.extend_from_slice(&frame.into_data().unwrap());
            }
            assert_eq!(read, TEXT, "{name}");
        }
    }
}

#[test]
fn an_error_is_returned_once() {
    let mut headers = HeaderMap::from_iter([(CONTENT_ENCODING, "gzip".parse().unwrap())]);
    let mut body = Decoded::new(&mut headers, Full::new(Bytes::from_static(b"text")), None);
    assert!(body.frame().now_or_never().unwrap().unwrap().is_err());
    assert!(body.frame().now_or_never().unwrap().is_none());
}
