//! The time of day, in the formats of the store and of responses.

use jiff::Timestamp;
use proxy_execute_protocol::{Error, ErrorKind, Result};
pub(crate) use proxy_execute_store::clock::STEP;

/// The system's time of day, for data that providers read and write. A gateway's own times come from its
/// `Clock`.
pub(crate) fn now() -> i64 {
    proxy_execute_store::Clock::default().now()
}

/// Formats a time as RFC 3339 in UTC, with milliseconds.
pub(crate) fn rfc3339(milliseconds: i64) -> String {
    Timestamp::from_millisecond(milliseconds).map(|time| format!("{time:.3}")).unwrap_or_default()
}

/// Reads the time in a field of a request, in milliseconds since 1970.
///
/// # Errors
/// `InvalidRequest` for a text that is not RFC 3339.
pub(crate) fn read_time(text: Option<&str>, field: &str) -> Result<Option<i64>> {
    let read = |text: &str| {
        text.parse::<Timestamp>().map(Timestamp::as_millisecond).map_err(|_| {
            let message = format!("{field}: is not a time such as 2030-01-31T00:00:00Z.");
            Error::of_field(ErrorKind::InvalidRequest, field, message)
        })
    };
    text.map(read).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_with_milliseconds() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(1_700_000_000_120), "2023-11-14T22:13:20.120Z");
    }
}
