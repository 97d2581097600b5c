//! The settings of traces, from an option and the variables `OTEL_*`.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use proxy_execute_protocol::{Error, ErrorKind, Result};
use serde_json::Value;
use url::Url;

use super::text;

/// Selects the traces that are exported.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sampler {
    /// Whether the decision of the caller holds, if there is a caller with one.
    follows_parent: bool,
    /// The part of the other traces, from 0 to 1.
    ratio: f64,
}

impl Sampler {
    pub(super) fn samples(self, trace_id: &[u8; 16], parent: Option<bool>) -> bool {
        match parent {
            Some(sampled) if self.follows_parent => sampled,
            // The last 8 bytes of an id are random, and every service decides alike.
            _ if self.ratio >= 1.0 => true,
            _ => {
                let [.., a, b, c, d, e, f, g, h] = *trace_id;
                (u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 1) < (self.ratio * 2_f64.powi(63)) as u64
            }
        }
    }
}

/// Where traces go, which of them, and with which headers.
pub(super) struct Settings {
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    /// The attributes of the resource, such as `service.name`.
    pub(super) resource: Vec<Value>,
    pub(super) sampler: Sampler,
}

impl fmt::Debug for Settings {
    /// The headers are not shown, because they may have a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("sampler", &self.sampler).finish_non_exhaustive()
    }
}

impl Settings {
    /// Reads the settings; `None` without an endpoint, or if the environment switches traces off.
    ///
    /// # Errors
    /// `InvalidOption` for an endpoint that is no URL of HTTP.
    pub(super) fn read(
        option: Option<&str>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>> {
        let variable = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let of_traces = |name: &str| {
            variable(&format!("OTEL_EXPORTER_OTLP_TRACES_{name}"))
                .or_else(|| variable(&format!("OTEL_EXPORTER_OTLP_{name}")))
        };
        let is = |name: &str, value: &str| variable(name).is_some_and(|is| is.eq_ignore_ascii_case(value));
        if is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none") {
            return Ok(None);
        }
        let below = |base: String| format!("{}/v1/traces", base.trim_end_matches('/'));
        let url = match option {
            Some(base) => Some((below(base.to_owned()), "otlpEndpoint")),
            None => variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
                .map(|url| (url, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"))
                .or_else(|| {
                    let base = variable("OTEL_EXPORTER_OTLP_ENDPOINT")?;
                    Some((below(base), "OTEL_EXPORTER_OTLP_ENDPOINT"))
                }),
        };
        let Some((url, name)) = url else { return Ok(None) };
        // The variables may be meant for other programs, so the gateway still opens.
        if option.is_none() && of_traces("PROTOCOL").is_some_and(|protocol| protocol == "grpc") {
            tracing::warn!(
                "calls are not traced: OTEL_EXPORTER_OTLP_PROTOCOL is grpc, and traces go over HTTP"
            );
            return Ok(None);
        }
        let url = Url::parse(&url).ok().filter(|url| ["http", "https"].contains(&url.scheme()));
        let url = url.ok_or_else(|| {
            let message = format!("{name}: must be a URL that begins with http:// or https://.");
            Error::new(ErrorKind::InvalidOption, message)
                .about(name)
                .fix("Name the OTLP/HTTP port of a collector, such as http://localhost:4318.")
        })?;
        let headers = of_traces("HEADERS").map(|list| headers(&list)).unwrap_or_default();
        let resource = resource(variable("OTEL_SERVICE_NAME"), variable("OTEL_RESOURCE_ATTRIBUTES"));
        let argument = variable("OTEL_TRACES_SAMPLER_ARG");
        let sampler = sampler(variable("OTEL_TRACES_SAMPLER").as_deref(), argument.as_deref());
        Ok(Some(Self { url, headers, resource, sampler }))
    }
}

/// The pairs of a list such as `a=1,b=2`. Values are percent-encoded.
fn pairs(list: &str) -> impl Iterator<Item = (&str, String)> {
    list.split(',')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.trim(), percent_decode_str(value.trim()).decode_utf8_lossy().into_owned()))
}

fn headers(list: &str) -> HeaderMap {
    let header = |(name, value): (&str, String)| {
        let mut value = HeaderValue::from_str(&value).ok()?;
        value.set_sensitive(true);
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value))
    };
    pairs(list)
        .filter_map(|pair| {
            let read = header(pair);
            if read.is_none() {
                tracing::warn!("an entry of OTEL_EXPORTER_OTLP_HEADERS is not a header, and is ignored");
            }
            read
        })
        .collect()
}

fn resource(service: Option<String>, attributes: Option<String>) -> Vec<Value> {
    let attributes = attributes.unwrap_or_default();
    let mut all: Vec<_> = pairs(&attributes).filter(|(name, _)| !name.is_empty()).collect();
    if let Some(service) = service {
        all.retain(|(name, _)| *name != "service.name");
        all.push(("service.name", service));
    } else if !all.iter().any(|(name, _)| *name == "service.name") {
        all.push(("service.name", "proxy-execute".to_owned()));
    }
    all.retain(|(name, _)| !name.starts_with("telemetry.sdk."));
    all.push(("telemetry.sdk.name", "proxy-execute".to_owned()));
    all.push(("telemetry.sdk.language", "rust".to_owned()));
    all.push(("telemetry.sdk.version", env!("CARGO_PKG_VERSION").to_owned()));
    all.iter().map(|(name, value)| text(name, value)).collect()
}

fn sampler(name: Option<&str>, argument: Option<&str>) -> Sampler {
    let ratio = argument.map_or(Some(1.0), |text| text.trim().parse().ok());
    let ratio = ratio.filter(|ratio| (0.0..=1.0).contains(ratio));
    let (follows_parent, ratio) = match name.unwrap_or("parentbased_always_on") {
        "always_on" => (false, Some(1.0)),
        "always_off" => (false, Some(0.0)),
        "traceidratio" => (false, ratio),
        "parentbased_always_on" => (true, Some(1.0)),
        "parentbased_always_off" => (true, Some(0.0)),
        "parentbased_traceidratio" => (true, ratio),
        _ => {
            tracing::warn!("OTEL_TRACES_SAMPLER is not known, so parentbased_always_on is used");
            (true, Some(1.0))
        }
    };
    let ratio = ratio.unwrap_or_else(|| {
        tracing::warn!("OTEL_TRACES_SAMPLER_ARG is not a number from 0 to 1, so 1 is used");
        1.0
    });
    Sampler { follows_parent, ratio }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(option: Option<&str>, variables: &[(&str, &str)]) -> Result<Option<Settings>> {
        Settings::read(option, |name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/");

    #[test]
    fn the_endpoint_comes_from_the_option_or_the_environment() {
        let url = |option, variables: &[_]| {
            read(option, variables).unwrap().map(|settings| settings.url.to_string())
        };
        let of_traces = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://traces.example/in");
        assert_eq!(url(None, &[]), None);
        assert_eq!(url(None, &[("OTEL_EXPORTER_OTLP_ENDPOINT", "")]), None);
        assert_eq!(url(None, &[ENDPOINT]).unwrap(), "http://collector:4318/v1/traces");
        assert_eq!(url(None, &[ENDPOINT, of_traces]).unwrap(), "https://traces.example/in");
        assert_eq!(url(Some("http://own:1"), &[ENDPOINT, of_traces]).unwrap(), "http://own:1/v1/traces");
        for off in [
            ("OTEL_SDK_DISABLED", "true"),
            ("OTEL_TRACES_EXPORTER", "none"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ] {
            assert_eq!(url(None, &[ENDPOINT, off]), None, "{off:?}");
        }
        for wrong in ["collector:4318", "", "grpc://collector"] {
            let error = read(Some(wrong), &[]).unwrap_err();
            assert_eq!((error.kind(), error.field()), (ErrorKind::InvalidOption, Some("otlpEndpoint")));
        }
    }

    #[test]
    fn headers_and_the_resource_come_from_the_environment() {
        let settings = read(
            None,
            &[
                ENDPOINT,
                ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%20secret, bad name=1,x-team=b"),
                ("OTEL_SERVICE_NAME", "mine"),
                ("OTEL_RESOURCE_ATTRIBUTES", "service.name=other,zone=a%2Cb"),
            ],
        );
        let settings = settings.unwrap().unwrap();
        assert_eq!(settings.headers.len(), 2);
        assert_eq!(settings.headers["x-key"], "a secret");
        assert!(!format!("{settings:?}").contains("secret"));
        assert!(settings.resource.contains(&text("service.name", "mine")));
        assert!(settings.resource.contains(&text("zone", "a,b")));
        assert!(!settings.resource.contains(&text("service.name", "other")));
    }

    #[test]
    fn a_sampler_decides_by_its_caller_or_by_the_id() {
        let low = [0; 16];
        let high = [0xff; 16];
        let samples = |name, argument, id, parent| sampler(Some(name), argument).samples(id, parent);
        for (name, argument, alone, unsampled, sampled) in [
            ("always_on", None, [true, true], true, true),
            ("always_off", None, [false, false], false, false),
            ("traceidratio", Some("0.5"), [true, false], false, false),
            ("parentbased_always_on", None, [true, true], false, true),
            ("parentbased_always_off", None, [false, false], false, true),
            ("parentbased_traceidratio", Some("0.5"), [true, false], false, true),
            ("traceidratio", Some("2"), [true, true], true, true),
            ("unknown", None, [true, true], false, true),
        ] {
            let found = [samples(name, argument, &low, None), samples(name, argument, &high, None)];
            assert_eq!(found, alone, "{name}");
            assert_eq!(samples(name, argument, &high, Some(false)), unsampled, "{name}");
            assert_eq!(samples(name, argument, &high, Some(true)), sampled, "{name}");
        }
    }
}
