//! W3C Trace Context: the headers `traceparent` and `tracestate`.

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};

/// Upper limit for a `tracestate`, in bytes. The specification asks to carry on at least as many.
const LONGEST_STATE: usize = 512;

/// The trace of a caller, and the caller's span in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    pub(super) trace_id: [u8; 16],
    pub(super) span_id: [u8; 8],
    pub(super) sampled: bool,
    pub(super) state: Option<String>,
}

impl TraceContext {
    /// Reads the headers; `None` for a `traceparent` that is malformed, which the specification ignores together
    /// with its `tracestate`.
    pub fn read<'a>(traceparent: &[u8], tracestate: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        // A later version may have more fields behind the flags.
        let (known, rest) = traceparent.split_at_checked(55)?;
        let is_hex = |text: &[u8]| text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let fields: Vec<&[u8]> = known.split(|byte| *byte == b'-').collect();
        let [version, trace_id, span_id, flags] = fields[..] else { return None };
        let fits = version.len() == 2 && trace_id.len() == 32 && span_id.len() == 16 && flags.len() == 2;
        let is_known = if version == b"00" { rest.is_empty() } else { rest.is_empty() || rest[0] == b'-' };
        if !fits || !is_known || version == b"ff" || !fields.iter().all(|field| is_hex(field)) {
            return None;
        }
        let trace_id: [u8; 16] = HEXLOWER_PERMISSIVE.decode(trace_id).ok()?.try_into().ok()?;
        let span_id: [u8; 8] = HEXLOWER_PERMISSIVE.decode(span_id).ok()?.try_into().ok()?;
        let flags = HEXLOWER_PERMISSIVE.decode(flags).ok()?;
        if trace_id == [0; 16] || span_id == [0; 8] {
            return None;
        }
        let state = tracestate.collect::<Vec<_>>().join(&b","[..]);
        let is_safe = state.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t'));
        let state = Some(state).filter(|state| is_safe && (1..=LONGEST_STATE).contains(&state.len()));
        let state = state.and_then(|state| String::from_utf8(state).ok());
        Some(Self { trace_id, span_id, sampled: flags[0] & 1 == 1, state })
    }
}

/// The value of a `traceparent`.
pub(super) fn traceparent(trace_id: &[u8; 16], span_id: &[u8; 8], is_sampled: bool) -> String {
    format!("00-{}-{}-0{}", hex(trace_id), hex(span_id), u8::from(is_sampled))
}

pub(super) fn hex(id: &[u8]) -> String {
    HEXLOWER.encode(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    fn read(text: &str) -> Option<TraceContext> {
        TraceContext::read(text.as_bytes(), std::iter::empty())
    }

    #[test]
    fn a_traceparent_is_read_as_the_specification_says() {
        let context = read(&format!("00-{TRACE}-{SPAN}-01")).unwrap();
        assert_eq!((hex(&context.trace_id), hex(&context.span_id)), (TRACE.to_owned(), SPAN.to_owned()));
        assert!(context.sampled);
        assert_eq!(traceparent(&context.trace_id, &context.span_id, true), format!("00-{TRACE}-{SPAN}-01"));
        assert!(!read(&format!("00-{TRACE}-{SPAN}-00")).unwrap().sampled);
        assert!(read(&format!("00-{TRACE}-{SPAN}-ff")).unwrap().sampled);
        // A later version may have more fields.
        assert!(read(&format!("cc-{TRACE}-{SPAN}-01")).is_some());
        assert!(read(&format!("cc-{TRACE}-{SPAN}-01-what-comes")).is_some());
        for wrong in [
            String::new(),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("cc-{TRACE}-{SPAN}-01.more"),
            format!("00-{}-{SPAN}-01", "0".repeat(32)),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{TRACE}-{}-01", SPAN.to_uppercase()),
            format!("00-{TRACE}-{SPAN}-0"),
            format!("00-{TRACE}-{SPAN}"),
            format!("0-{TRACE}-{SPAN}-011"),
            format!("00-{TRACE}{SPAN}--01"),
            format!(" 00-{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-g1"),
        ] {
            assert_eq!(read(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_tracestate_is_carried_on_up_to_its_limit() {
        let state = |lists: &[&str]| {
            let header = format!("00-{TRACE}-{SPAN}-01");
            TraceContext::read(header.as_bytes(), lists.iter().map(|list| list.as_bytes())).unwrap().state
        };
        assert_eq!(state(&[]), None);
        assert_eq!(state(&["a=1", "b=2"]).as_deref(), Some("a=1,b=2"));
        assert_eq!(state(&["a=1\n"]), None);
        assert!(state(&[&"x".repeat(512)]).is_some());
        assert_eq!(state(&[&"x".repeat(513)]), None);
    }
}
