//! Reads which bytes of a file a `Range` header asks for (RFC 9110 §14.1.2).

use std::ops::Range;

/// The bytes of a file that are served.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Selected {
    Whole,
    Part(Range<u64>),
    /// The file has none of the bytes.
    Nothing,
}

/// One range, before the size of the file is known.
enum Spec {
    From {
        first: u64,
        last: u64,
    },
    /// The last bytes of the file, this many.
    Last(u64),
}

impl Spec {
    fn parse(spec: &str) -> Option<Self> {
        let (first, last) = spec.split_once('-')?;
        match (first, last) {
            ("", last) => Some(Self::Last(position(last)?)),
            (first, "") => Some(Self::From { first: position(first)?, last: u64::MAX }),
            (first, last) => {
                let (first, last) = (position(first)?, position(last)?);
                (first <= last).then_some(Self::From { first, last })
            }
        }
    }

    /// Returns the bytes of this range in a file of this size, if the file has any of them.
    fn within(&self, size: u64) -> Option<Range<u64>> {
        match *self {
            Self::From { first, last } => (first < size).then(|| first..last.saturating_add(1).min(size)),
            Self::Last(length) => (length > 0).then(|| size.saturating_sub(length)..size),
        }
    }
}

/// Reads digits. A position beyond the largest number is clamped, because no file is that large.
fn position(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

/// Selects the bytes of a file. RFC 9110 §14.2 allows a server to ignore the header.
///
/// The whole file is selected if the header is malformed, has another unit, or asks for several parts.
pub(super) fn select(header: &str, size: u64) -> Selected {
    let specs = header.split_once('=').filter(|(unit, _)| unit.eq_ignore_ascii_case("bytes"));
    let Some((_, specs)) = specs else { return Selected::Whole };
    // A list may have empty elements (RFC 9110 §5.6.1).
    let specs = specs.split(',').map(|spec| spec.trim_matches([' ', '\t'])).filter(|spec| !spec.is_empty());
    let Some(specs) = specs.map(Spec::parse).collect::<Option<Vec<_>>>() else { return Selected::Whole };
    if specs.is_empty() {
        return Selected::Whole;
    }
    let mut parts = specs.iter().filter_map(|spec| spec.within(size));
    match (parts.next(), parts.next()) {
        (None, _) => Selected::Nothing,
        // The last bytes of an empty file are an empty part, and `Content-Range` cannot express an empty
        // part.
        (Some(part), None) if !part.is_empty() => Selected::Part(part),
        _ => Selected::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_match_the_rfc() {
        use Selected::{Nothing, Part, Whole};

        for (header, size, selected) in [
            ("bytes=0-0", 10, Part(0..1)),
            ("bytes=0-9", 10, Part(0..10)),
            ("bytes=2-", 10, Part(2..10)),
            ("bytes=9-", 10, Part(9..10)),
            ("bytes=-3", 10, Part(7..10)),
            ("Bytes=1-2", 10, Part(1..3)),
            ("bytes=00-05", 10, Part(0..6)),
            // A suffix longer than the file selects the whole file. An end beyond the file is the file's end.
            ("bytes=-10", 10, Part(0..10)),
            ("bytes=-11", 10, Part(0..10)),
            ("bytes=-99999999999999999999999999", 10, Part(0..10)),
            ("bytes=5-99", 10, Part(5..10)),
            ("bytes=5-18446744073709551615", 10, Part(5..10)),
            ("bytes=5-99999999999999999999999999", 10, Part(5..10)),
            // The file has none of these bytes.
            ("bytes=10-", 10, Nothing),
            ("bytes=10-20", 10, Nothing),
            ("bytes=99999999999999999999999999-", 10, Nothing),
            ("bytes=-0", 10, Nothing),
            ("bytes=10-,-0", 10, Nothing),
            ("bytes=0-", 0, Nothing),
            ("bytes=0-0", 0, Nothing),
            // An empty file has no part, but its last bytes are the whole file.
            ("bytes=-1", 0, Whole),
            // With several ranges: the part if the file has only one of them, else the whole file.
            ("bytes=0-1,20-", 10, Part(0..2)),
            ("bytes=20-, -2", 10, Part(8..10)),
            ("bytes=,0-1\t,,", 10, Part(0..2)),
            ("bytes=0-1,3-4", 10, Whole),
            ("bytes=0-5, 3-9", 10, Whole),
            // Headers without a valid range.
            ("", 10, Whole),
            ("bytes", 10, Whole),
            ("bytes=", 10, Whole),
            ("bytes=,", 10, Whole),
            ("bytes=-", 10, Whole),
            ("bytes=5", 10, Whole),
            ("bytes=5-2", 10, Whole),
            ("bytes=20-10", 10, Whole),
            ("bytes=0-1,x", 10, Whole),
            ("bytes=+1-2", 10, Whole),
            ("bytes=0 -1", 10, Whole),
            ("bytes=0x1-2", 10, Whole),
            ("bytes=--5", 10, Whole),
            ("bytes=1-2-3", 10, Whole),
            ("bytes=\u{661}-2", 10, Whole),
            ("items=0-1", 10, Whole),
        ] {
            assert_eq!(select(header, size), selected, "{header:?} of {size}");
        }
    }
}
