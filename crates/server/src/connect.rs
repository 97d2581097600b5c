//! `/connect`: the pages on which users connect accounts. The pages are for browsers, so the description of
//! the wire does not include them.
//!
//! * A cookie identifies the browser. A form must prove that its page was shown to the browser that sends
//!   the form.
//! * A page sends the browser to the next address by `Refresh`, never by a redirect. The `form-action` of the
//!   page with the form, the gateway's or the provider's, applies to every redirect that follows. It would
//!   stop users on their way to a third host.
//! * A provider may post its callback (`response_mode=form_post`). The gateway then redirects the browser to
//!   the same address by GET. The cookie is `SameSite=Lax`, so the browser does not send it with a form of
//!   another site.

mod page;

use std::collections::BTreeMap;
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use axum::response::Response;
use axum::routing::get;
use data_encoding::HEXLOWER;
use proxy_execute_protocol::{Error, ErrorKind};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout;
use url::{Url, form_urlencoded};

use self::page::{PROOF, Page};
pub(super) use self::page::{STYLE, html};
use super::reply::{RequestId, read_bytes};
use proxy_execute_gateway::Gateway;
use proxy_execute_gateway::connect::{Browser, Callback, Next, Stop};
use proxy_execute_gateway::id::hash;

/// Upper limit for the parameters of a callback, in a query or a form. Codes have up to 2 KiB.
const MAX_CALLBACK_BYTES: usize = 16 * 1024;

/// Upper limit for a form. The largest field is a key file, which has a few KiB.
const MAX_FORM_BYTES: usize = 64 * 1024;

/// How long a form may take to arrive.
const FORM_TIMEOUT: Duration = Duration::from_secs(30);

/// The routes of the pages.
pub(super) fn router() -> Router<Gateway> {
    let pages = Router::new()
        .route("/callback", get(come_back).post(lead_back))
        .route("/callback/{server}", get(come_back).post(lead_back))
        .route("/{token}", get(open).post(submit))
        .fallback(unknown);
    Router::new().nest("/connect", pages).route("/connect/", get(unknown))
}

async fn open(
    State(gateway): State<Gateway>,
    request_id: RequestId,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let known = cookie_of(&gateway, &headers);
    let browser = known.unwrap_or_else(Browser::new);
    match gateway
        .run(async { Ok(gateway.connect.open(token_of(&uri), &browser).await) })
        .await
        .unwrap_or_else(broken)
    {
        Ok(form) => with_cookie(&gateway, &browser, Page::form(&form, &proof(&browser))),
        Err(stop) => Page::stop(stop, request_id).into(),
    }
}

async fn submit(
    State(gateway): State<Gateway>,
    request_id: RequestId,
    uri: Uri,
    headers: HeaderMap,
    request: Request,
) -> Response {
    // Requests that the head alone rules out are refused before their body is read and held in memory.
    let Some(browser) = cookie_of(&gateway, &headers) else { return Page::no_cookie().into() };
    if is_from_elsewhere(&headers) {
        return Page::foreign_form().into();
    }
    let may_submit = async { Ok(gateway.connect.may_submit(token_of(&uri), &browser).await) };
    if let Err(stop) = gateway.run(may_submit).await.unwrap_or_else(broken) {
        return Page::stop(stop, request_id).into();
    }
    let form = timeout(FORM_TIMEOUT, read_bytes(request, MAX_FORM_BYTES, form_too_large));
    let body = match form.await.unwrap_or_else(|_| Err(form_too_slow())) {
        Ok(body) => body,
        Err(error) => return Page::stop(Stop::Broken(error), request_id).into(),
    };
    let given: BTreeMap<_, _> = form_urlencoded::parse(&body)
        .map(|(name, value)| (name.into_owned(), SecretString::from(value.into_owned())))
        .collect();
    let is_proven = given.get(PROOF).is_some_and(|given| {
        verify_slices_are_equal(given.expose_secret().as_bytes(), proof(&browser).as_bytes()).is_ok()
    });
    if !is_proven {
        return Page::foreign_form().into();
    }
    // A browser that disconnects does not cancel this work: the gateway must keep what it began at an API.
    let work = {
        let (gateway, browser) = (gateway.clone(), Browser(browser.0.clone()));
        gateway.clone().spawn(async move {
            gateway.run(async { Ok(gateway.connect.submit(token_of(&uri), &browser, &given).await) }).await
        })
    };
    match ended(work).await {
        Ok(Next::Provider { toolkit, url }) => Page::provider(&toolkit, &url).into(),
        Ok(Next::Again(form)) => with_cookie(&gateway, &browser, Page::form(&form, &proof(&browser))),
        Ok(Next::Connected(connected)) => Page::connected(&connected).into(),
        Err(stop) => Page::stop(stop, request_id).into(),
    }
}

async fn come_back(
    State(gateway): State<Gateway>,
    request_id: RequestId,
    method: Method,
    headers: HeaderMap,
    server: Option<Path<String>>,
    uri: Uri,
) -> Response {
    // HEAD and prefetch requests show no page to the user, and the exchange below uses up the state.
    let only_looks =
        headers.get("sec-purpose").is_some_and(|purpose| purpose.as_bytes().starts_with(b"prefetch"));
    if method == Method::HEAD || only_looks {
        return Page::not_shown().into();
    }
    let query = uri.query().unwrap_or_default();
    if query.len() > MAX_CALLBACK_BYTES {
        return Page::stop(Stop::Broken(callback_too_large()), request_id).into();
    }
    let parameters = form_urlencoded::parse(query.as_bytes());
    let callback = Callback {
        path: server.map(|Path(server)| server).unwrap_or_default(),
        parameters: parameters.map(|(name, value)| (name.into_owned(), value.into_owned().into())).collect(),
    };
    let browser = cookie_of(&gateway, &headers);
    // A code can be exchanged once, so a browser that disconnects does not cancel the exchange.
    let work = gateway.clone().spawn(async move {
        gateway.run(async { Ok(gateway.connect.come_back(browser.as_ref(), &callback).await) }).await
    });
    match ended(work).await {
        Ok(connected) => Page::connected(&connected).into(),
        Err(stop) => Page::stop(stop, request_id).into(),
    }
}

/// Redirects a browser that posts a callback to the same address, with the form as the query.
///
/// The gateway uses nothing of the form here, because the browser is not known.
async fn lead_back(request_id: RequestId, request: Request) -> Response {
    let body = match read_bytes(request, MAX_CALLBACK_BYTES, callback_too_large).await {
        Ok(body) => body,
        Err(error) => return Page::stop(Stop::Broken(error), request_id).into(),
    };
    // The parameters are encoded again, so that a header can hold them.
    let parameters = form_urlencoded::parse(&body);
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    if query.len() > MAX_CALLBACK_BYTES {
        return Page::stop(Stop::Broken(callback_too_large()), request_id).into();
    }
    Page::led_back(&query).into()
}

async fn unknown(request_id: RequestId) -> Response {
    Page::stop(Stop::Unknown, request_id).into()
}

/// The token as it stands in the path. A token has no characters that a URL encodes.
fn token_of(uri: &Uri) -> &str {
    uri.path().trim_start_matches('/')
}

type Outcome<T> = Result<T, Stop>;

/// The result of a step when the gateway is closed.
fn broken<T>(error: Error) -> Outcome<T> {
    Err(Stop::Broken(error))
}

async fn ended<T>(work: tokio::task::JoinHandle<proxy_execute_protocol::Result<Outcome<T>>>) -> Outcome<T> {
    let panicked = |_| {
        let message = "A step of a connection panicked.";
        Error::new(ErrorKind::Internal, message)
    };
    work.await.map_err(panicked)??
}

fn callback_too_large() -> Error {
    Error::new(ErrorKind::PayloadTooLarge, "The callback is larger than the limit of 16 KiB.")
        .fix("Ask the provider for a shorter code, or register the client for `response_mode=query`.")
}

fn form_too_large() -> Error {
    Error::new(ErrorKind::PayloadTooLarge, "The form is larger than the limit of 64 KiB.")
        .fix("Send it from its page, with the fields of the page only.")
}

fn form_too_slow() -> Error {
    let message = format!("The form did not arrive within {} s.", FORM_TIMEOUT.as_secs());
    Error::new(ErrorKind::InvalidRequest, message).fix("Send it again from its page.")
}

/// Whether the browser says that another site sent the request. For a browser that says nothing, only the
/// proof in the form counts.
fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin")
}

/// The proof that a form was shown to this browser. Another site can read neither the proof nor the cookie
/// that it is made from.
fn proof(browser: &Browser) -> String {
    HEXLOWER.encode(&hash(&format!("form {}", browser.0.expose_secret())))
}

/// The cookie's name and its attributes. `__Host-` keeps other hosts of the domain from setting the cookie,
/// and needs TLS and the path `/`.
fn cookie(gateway: &Gateway) -> (&'static str, String) {
    let url = gateway.public_url.get().ok().and_then(|url| Url::parse(url).ok());
    match url {
        Some(url) if url.scheme() == "https" => {
            ("__Host-proxy-execute-connect", "Path=/; Secure; HttpOnly; SameSite=Lax".to_owned())
        }
        url => {
            let below = url.map(|url| url.path().trim_end_matches('/').to_owned()).unwrap_or_default();
            ("proxy-execute-connect", format!("Path={below}/connect; HttpOnly; SameSite=Lax"))
        }
    }
}

fn cookie_of(gateway: &Gateway, headers: &HeaderMap) -> Option<Browser> {
    let (name, _) = cookie(gateway);
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let value = cookies
        .flat_map(|cookies| cookies.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))?;
    Some(Browser(value.into()))
}

fn with_cookie(gateway: &Gateway, browser: &Browser, page: Page) -> Response {
    let (name, attributes) = cookie(gateway);
    let mut response = Response::from(page);
    let cookie = format!("{name}={}; {attributes}", browser.0.expose_secret());
    if let Ok(mut value) = HeaderValue::from_str(&cookie) {
        value.set_sensitive(true);
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}

/// The headers of every page.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_TYPE, "text/html; charset=utf-8"),
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];
