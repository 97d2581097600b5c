//! Times on the command line: an age, or a point in time.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::arguments::Given;
use crate::failure::Failure;

/// The time that an option names, in milliseconds since 1970.
pub(crate) fn time(given: &Given, name: &str) -> Result<Option<i64>, Failure> {
    let Some(text) = given.text(name) else { return Ok(None) };
    match age(text).or_else(|| point(text)) {
        Some(time) => Ok(Some(time.as_millisecond())),
        None => Err(Failure::Usage(format!(
            "--{name} must be an age such as 30m, 24h or 7d, or a time such as 2026-11-01T08:00:00Z."
        ))),
    }
}

fn age(text: &str) -> Option<Timestamp> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let is_number = (1..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: i64 = digits.parse().ok().filter(|_| is_number)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    Timestamp::now().checked_sub(SignedDuration::from_secs(number * seconds)).ok()
}

/// A time with its zone. A date is midnight of UTC.
fn point(text: &str) -> Option<Timestamp> {
    let date = || text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok();
    text.parse().ok().or_else(|| Some(date().filter(|_| text.len() == "2026-11-01".len())?.timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_an_age_or_has_a_zone() {
        assert_eq!(point("2026-11-01"), "2026-11-01T00:00:00Z".parse().ok());
        assert_eq!(point("2026-11-01T08:00:00+02:00"), "2026-11-01T06:00:00Z".parse().ok());
        for text in ["2026-11-01T08:00:00", "2026-13-01", "20261101", "", "now", "7d"] {
            assert_eq!(point(text), None, "{text}");
        }
        let an_hour_ago = age("1h").unwrap();
        let hour = Timestamp::now() - an_hour_ago;
        assert!((3_600..3_700).contains(&hour.get_seconds()), "{hour}");
        for text in ["", "d", "-1d", "1w", "1.5h", "1234567890s", "é"] {
            assert_eq!(age(text), None, "{text}");
        }
    }
}
