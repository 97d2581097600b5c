//! The wait that a server requests in the headers of a response (RFC 9110 §10.2.3).

use std::time::{Duration, SystemTime};

use http::header::{HeaderMap, RETRY_AFTER};

/// Returns the wait that a server requests: `retry-after-ms`, or `retry-after` in seconds or as a date.
///
/// A date in the past means no wait. An unreadable value is ignored.
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = |name: &str| headers.get(name)?.to_str().ok();
    let number = |text: &str| text.trim().parse::<f64>().ok();
    let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds).ok();

    let milliseconds = value("retry-after-ms").and_then(number).and_then(|ms| seconds(ms / 1000.0));
    milliseconds.or_else(|| {
        let text = value(RETRY_AFTER.as_str())?;
        match number(text) {
            Some(number) => seconds(number),
            None => {
                let date = httpdate::parse_http_date(text.trim()).ok()?;
                Some(date.duration_since(now).unwrap_or_default())
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn retry_after_is_read_in_every_form() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let read = |pairs: &[(&'static str, &str)]| retry_after(&headers(pairs), now);
        let seconds = Duration::from_secs;

        assert_eq!(read(&[("retry-after", "3")]), Some(seconds(3)));
        assert_eq!(read(&[("retry-after", " 0.25 ")]), Some(Duration::from_millis(250)));
        assert_eq!(read(&[("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT")]), Some(seconds(30)));
        assert_eq!(read(&[("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT")]), Some(seconds(0)));
        assert_eq!(
            read(&[("retry-after-ms", "1500"), ("retry-after", "9")]),
            Some(Duration::from_millis(1500))
        );
        assert_eq!(read(&[("retry-after-ms", "soon"), ("retry-after", "9")]), Some(seconds(9)));

        for unusable in ["", "soon", "-1", "NaN", "inf", "1e300"] {
            assert_eq!(read(&[("retry-after", unusable)]), None, "{unusable}");
        }
        assert_eq!(read(&[]), None);
    }
}
