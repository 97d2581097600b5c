//! Parts of the messages about failed calls.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use url::Url;

/// Returns the part of a URL that names the server. It holds no secret.
pub(crate) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// Returns the innermost cause. The errors around it only say that something failed.
pub(crate) fn reason(error: &(dyn StdError + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let text = cause.to_string();
    if !cause.is::<io::Error>() {
        return text;
    }
    // "Connection refused (os error 111)": the number adds nothing.
    let mut text = text.split(" (os error").next().unwrap_or_default().to_owned();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    text
}

/// Formats a duration: `60 s`, `1.5 s`, `200 ms`.
///
/// The duration is rounded up: of a timeout of 60 s, a little less is left when a call begins.
pub(crate) fn seconds(duration: Duration) -> String {
    let hundredths = duration.as_micros().div_ceil(10_000);
    if hundredths < 100 {
        format!("{} ms", hundredths * 10)
    } else {
        let tenths = duration.as_micros().div_ceil(100_000);
        format!("{} s", tenths as f64 / 10.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        for (milliseconds, text) in
            [(0, "0 ms"), (195, "200 ms"), (200, "200 ms"), (999, "1 s"), (1440, "1.5 s"), (59_999, "60 s")]
        {
            assert_eq!(seconds(Duration::from_millis(milliseconds)), text);
        }
    }
}
