//! A caller's text, as errors and logs quote it.

use std::fmt::{self, Write as _};

/// The number of characters of a caller's text that an error or a log line shows.
const LONGEST: usize = 80;

/// Shows at most 80 characters of a text. Control and bidirectional characters are escaped, so that
/// the text can neither begin a line of its own nor reorder the words around it.
pub fn quoted(text: &str) -> impl fmt::Display + '_ {
    Quoted(text)
}

struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut characters = self.0.chars();
        for character in characters.by_ref().take(LONGEST) {
            if is_misleading(character) {
                write!(f, "{}", character.escape_default())?;
            } else {
                f.write_char(character)?;
            }
        }
        if characters.next().is_some() { f.write_char('…') } else { Ok(()) }
    }
}

/// Control characters, line and paragraph separators, and the characters of UAX #9 that set a direction.
fn is_misleading(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_shown_as_it_is_up_to_its_limit() {
        let at_most = "é".repeat(LONGEST);
        for (text, shown) in [
            ("", ""),
            ("gïthub `x` 😀", "gïthub `x` 😀"),
            (&at_most, &at_most),
            (&format!("{at_most}x"), &format!("{at_most}…")),
            (&"a".repeat(8 << 20), &format!("{}…", "a".repeat(LONGEST))),
        ] {
            assert_eq!(quoted(text).to_string(), shown);
        }
    }

    #[test]
    fn characters_that_mislead_are_escaped() {
        for (text, shown) in [
            ("a\r\nb\tc", "a\\r\\nb\\tc"),
            ("\0\u{1b}[31m\u{7f}\u{9b}", "\\u{0}\\u{1b}[31m\\u{7f}\\u{9b}"),
            (
                "\u{202e}moc\u{2066}x\u{2069}\u{200f}\u{61c}",
                "\\u{202e}moc\\u{2066}x\\u{2069}\\u{200f}\\u{61c}",
            ),
            ("a\u{2028}b\u{2029}", "a\\u{2028}b\\u{2029}"),
        ] {
            assert_eq!(quoted(text).to_string(), shown);
        }
    }
}
