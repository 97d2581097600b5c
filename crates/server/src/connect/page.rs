//! The pages and their texts, from the templates in `templates/`.

use std::sync::LazyLock;

use askama::Template;
use aws_lc_rs::digest::{SHA256, digest};
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use data_encoding::BASE64;
use url::Url;

use super::HEADERS;
use crate::reply::RequestId;
use proxy_execute_gateway::connect::{AskedField, Connected, Form, NotConnected, Step, Stop};

/// The form field with the proof that the form comes from its page.
pub(super) const PROOF: &str = "proof";

pub(crate) const STYLE: &str = include_str!("../../templates/connect.css");

/// Forbids the page to load anything, to be framed and to send a form elsewhere. A hash allows its one style.
static CONTENT_SECURITY_POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let style = BASE64.encode(digest(&SHA256, STYLE.as_bytes()).as_ref());
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    );
    HeaderValue::from_str(&policy).expect("base64 is a valid header value")
});

/// A page and its status.
pub(super) struct Page {
    status: StatusCode,
    html: String,
    /// The header that sends the browser to the next address, and its value.
    onward: Option<(HeaderName, String)>,
}

#[derive(Template)]
#[template(path = "form.html")]
struct FormTemplate<'a> {
    style: &'static str,
    form: &'a Form,
    /// The number of fields with a problem.
    problems: usize,
    proof_name: &'static str,
    proof: &'a str,
}

#[derive(Template)]
#[template(path = "message.html")]
struct MessageTemplate<'a> {
    style: &'static str,
    heading: &'a str,
    texts: &'a [&'a str],
    /// A link, as its text and its URL.
    onward: Option<(&'a str, &'a str)>,
    /// The id under which the log has the details.
    reference: Option<&'a str>,
}

impl Page {
    /// The form of a link.
    pub(super) fn form(form: &Form, proof: &str) -> Self {
        let problems = form.fields.iter().filter(|field| field.problem.is_some()).count();
        let status = if problems > 0 { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
        let template = FormTemplate { style: STYLE, form, problems, proof_name: PROOF, proof };
        Self { status, html: rendered(&template), onward: None }
    }

    /// The page that leads to the provider.
    pub(super) fn provider(toolkit: &str, url: &Url) -> Self {
        let words = format!("Continue to {toolkit}");
        let heading = format!("Continuing to {toolkit} …");
        Self::message(StatusCode::OK, &heading, &[], Some((&words, url)), None).going_to(url.clone())
    }

    /// The page after an account is connected.
    pub(super) fn connected(Connected { toolkit, back }: &Connected) -> Self {
        let heading = format!("{toolkit} is connected");
        match back {
            Some(url) => {
                let words = back_words(url);
                Self::message(StatusCode::OK, &heading, &[], Some((&words, url)), None).going_to(url.clone())
            }
            None => Self::message(StatusCode::OK, &heading, &["You can close this page."], None, None),
        }
    }

    /// The page that says why the account cannot be connected, and what the user can do.
    pub(super) fn stop(stop: Stop, RequestId(request_id): RequestId) -> Self {
        let plain = |status, heading: &str, texts: &[&str]| Self::message(status, heading, texts, None, None);
        const ASK: &str = "Ask the sender of this link for a new one.";
        match stop {
            Stop::Unknown => plain(
                StatusCode::NOT_FOUND,
                "This link is not valid",
                &["The link may be incomplete, or a newer link may have replaced it.", ASK],
            ),
            Stop::Expired => plain(
                StatusCode::GONE,
                "This link has expired",
                &["For your safety, links work for a short time only.", ASK],
            ),
            Stop::Used => plain(
                StatusCode::GONE,
                "This link was already used",
                &["A link works once. If your account is connected, there is nothing left to do.", ASK],
            ),
            Stop::OtherBrowser => plain(
                StatusCode::FORBIDDEN,
                "This was started in another browser",
                &[
                    "For your safety, only the browser in which it was started can finish it. Nothing was connected here.",
                    "Continue there, or ask for a new link. If you did not start this yourself, close this page.",
                ],
            ),
            Stop::UnknownState => plain(
                StatusCode::BAD_REQUEST,
                "This step is over",
                &[
                    "It was already done, or a newer step replaced it. Nothing was connected here.",
                    "If your account is not connected, open the link again, or ask for a new one.",
                ],
            ),
            Stop::NotConnected(not_connected) => {
                let NotConnected { toolkit, step, why, back } = *not_connected;
                let heading = format!("{toolkit} was not connected");
                let says = format!("{toolkit} says: {why}");
                let unusable = format!("The details for {toolkit} are incomplete or cannot be used. {why}");
                let again = "Try again with a new link.";
                let (status, texts) = match step {
                    Step::Consent => (
                        StatusCode::OK,
                        [
                            "You did not allow it, so nothing was connected.",
                            "To connect your account, ask for a new link.",
                        ],
                    ),
                    Step::Registration | Step::Exchange => (StatusCode::BAD_GATEWAY, [says.as_str(), again]),
                    Step::Credential => (StatusCode::BAD_GATEWAY, [unusable.as_str(), again]),
                    Step::Sender => (
                        StatusCode::BAD_REQUEST,
                        [
                            "For your safety, nothing was connected: you came back from another site than the one you were sent to.",
                            "If you did not start this yourself, close this page. Otherwise, ask for a new link.",
                        ],
                    ),
                };
                let words = back.as_ref().map(back_words);
                let onward = words.as_deref().zip(back.as_ref());
                Self::message(status, &heading, &texts, onward, None)
            }
            Stop::Broken(error) => {
                if error.status().is_none_or(|status| status >= 500) {
                    tracing::warn!(request = request_id, %error, "an account could not be connected");
                } else {
                    tracing::debug!(%error, "a form was refused");
                }
                let texts = [
                    "You did nothing wrong. The sender of the link can look up the problem by the reference below.",
                ];
                let status = error.status().and_then(|status| StatusCode::from_u16(status).ok());
                let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                Self::message(status, "This does not work right now", &texts, None, Some(&request_id))
            }
        }
    }

    /// The page for a form without the cookie of its page.
    pub(super) fn no_cookie() -> Self {
        let texts = [
            "Your browser did not send this page's cookie, which keeps other people from acting for you.",
            "Allow cookies for this site, then open the link again.",
        ];
        Self::message(StatusCode::FORBIDDEN, "This needs a cookie", &texts, None, None)
    }

    /// The page for a form that another site sent, or that is older than the browser's cookie.
    pub(super) fn foreign_form() -> Self {
        let texts =
            ["This form was not sent from its own page. Nothing was connected.", "Open the link again."];
        Self::message(StatusCode::FORBIDDEN, "Please start again", &texts, None, None)
    }

    /// Redirects the browser to the address that it posted to, by GET with this query.
    pub(super) fn led_back(query: &str) -> Self {
        let page = Self::message(StatusCode::SEE_OTHER, "One moment …", &[], None, None);
        Self { onward: Some((header::LOCATION, format!("?{query}"))), ..page }
    }

    /// The response to a client that requests a page without showing it.
    pub(super) fn not_shown() -> Self {
        Self::message(StatusCode::METHOD_NOT_ALLOWED, "Please open this page", &[], None, None)
    }

    fn message(
        status: StatusCode,
        heading: &str,
        texts: &[&str],
        onward: Option<(&str, &Url)>,
        reference: Option<&str>,
    ) -> Self {
        let onward = onward.map(|(words, url)| (words, url.as_str()));
        let template = MessageTemplate { style: STYLE, heading, texts, onward, reference };
        Self { status, html: rendered(&template), onward: None }
    }

    fn going_to(self, url: Url) -> Self {
        // A parsed URL has neither spaces nor control characters.
        Self { onward: Some((header::REFRESH, format!("0;url={url}"))), ..self }
    }
}

impl From<Page> for Response {
    fn from(page: Page) -> Self {
        let mut response = answered(page.status, page.html);
        if let Some((name, url)) = page.onward {
            let mut value = HeaderValue::from_str(&url).expect("a URL is ASCII");
            value.set_sensitive(true);
            response.headers_mut().insert(name, value);
        }
        response
    }
}

/// A page with [`STYLE`] and the headers of every page.
pub(crate) fn html(status: StatusCode, template: &impl Template) -> Response {
    answered(status, rendered(template))
}

fn answered(status: StatusCode, html: String) -> Response {
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY.clone());
    response
}

fn rendered(template: &impl Template) -> String {
    template.render().expect("writing to a text does not fail")
}

fn back_words(url: &Url) -> String {
    format!("Back to {}", url.host_str().unwrap_or_default())
}

impl FormTemplate<'_> {
    /// The field's name as users read it: `API key`.
    fn label(&self, field: &AskedField) -> String {
        let name = &field.input.display_name;
        if let Some(rest) = name.strip_prefix("api ") {
            return format!("API {rest}");
        }
        let mut letters = name.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
    }

    /// The ids of the texts about the field. The id of its problem comes first.
    fn described_by(&self, field: &AskedField) -> Option<String> {
        let name = &field.input.name;
        let problem = field.problem.as_ref().map(|_| format!("{name}-problem"));
        let about = Some(format!("{name}-about")).filter(|_| !field.input.description.is_empty());
        let ids: Vec<_> = problem.into_iter().chain(about).collect();
        Some(ids.join(" ")).filter(|ids| !ids.is_empty())
    }

    /// Whether the user begins at this field: the first field with a problem, or else the first required
    /// field that is empty.
    fn is_first(&self, asked: &AskedField) -> bool {
        let is_missing = |field: &&AskedField| field.input.required && field.value.is_empty();
        let fields = || self.form.fields.iter();
        let first = fields().find(|field| field.problem.is_some()).or_else(|| fields().find(is_missing));
        first.or(self.form.fields.first()).is_some_and(|first| first.input.name == asked.input.name)
    }
}
