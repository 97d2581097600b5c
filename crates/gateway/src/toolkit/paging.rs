//! Checks how a toolkit's file says that its API gives pages and rate limits.

use http::header::HeaderName;
use proxy_execute_protocol::{Pagination, PaginationKind, RateLimit};

/// Upper limit for a JSON pointer, a query key and the name of a header, in bytes.
const LONGEST_NAME: usize = 256;

/// Upper limit for the attributes of a link.
const MOST_ATTRIBUTES: usize = 10;

/// Checks `[pagination]`.
///
/// # Errors
/// The key and the reason.
pub(super) fn check_pagination(recipe: &Pagination) -> Result<(), String> {
    use PaginationKind::{Cursor, Link, Offset, Page};

    let kind = recipe.kind;
    let present = [
        ("link", recipe.link.is_some(), kind == Link),
        ("link_attributes", !recipe.link_attributes.is_empty(), kind == Link && recipe.link.is_none()),
        ("cursor", recipe.cursor.is_some(), kind == Cursor),
        ("cursor_header", recipe.cursor_header.is_some(), kind == Cursor && recipe.cursor.is_none()),
        ("query", recipe.query.is_some(), kind != Link),
        ("body", recipe.body.is_some(), kind != Link),
        ("start", recipe.start.is_some(), matches!(kind, Offset | Page)),
        ("total", recipe.total.is_some(), kind == Offset),
        ("total_pages", recipe.total_pages.is_some(), kind == Page),
    ];
    if let Some((key, ..)) = present.iter().find(|(_, is_present, may_be)| *is_present && !may_be) {
        return Err(format!("{key}: does not go with the kind and the other keys"));
    }
    if kind == Cursor && recipe.cursor.is_none() && recipe.cursor_header.is_none() {
        return Err("cursor: is missing; give its JSON pointer, or `cursor_header`".to_owned());
    }
    if kind != Link && recipe.query.is_none() && recipe.body.is_none() {
        return Err("query: is missing; give the query key, or `body`".to_owned());
    }
    for (key, pointer) in [
        ("items", &recipe.items),
        ("more", &recipe.more),
        ("link", &recipe.link),
        ("cursor", &recipe.cursor),
        ("body", &recipe.body),
        ("total", &recipe.total),
        ("total_pages", &recipe.total_pages),
    ] {
        let Some(pointer) = pointer else { continue };
        // The whole of a response may be its items. Everything else is inside of it.
        if !is_pointer(pointer) || (pointer.is_empty() && key != "items") {
            return Err(format!("{key}: `{pointer}` is not a JSON pointer such as /meta/next"));
        }
    }
    if recipe.query.as_ref().is_some_and(|key| key.is_empty() || key.len() > LONGEST_NAME) {
        return Err(format!("query: is empty, or longer than {LONGEST_NAME} bytes"));
    }
    if let Some(name) = &recipe.cursor_header {
        check_header("cursor_header", name)?;
    }
    if recipe.link_attributes.len() > MOST_ATTRIBUTES {
        return Err(format!("link_attributes: there are more than {MOST_ATTRIBUTES}"));
    }
    Ok(())
}

/// Checks `[rate_limit]`.
///
/// # Errors
/// The key and the reason.
pub(super) fn check_rate_limit(limit: &RateLimit) -> Result<(), String> {
    check_header("header", &limit.header)?;
    limit.remaining.as_ref().map_or(Ok(()), |name| check_header("remaining", name))
}

fn check_header(key: &str, name: &str) -> Result<(), String> {
    // Responses name their headers in lower case.
    let is_name = HeaderName::from_bytes(name.as_bytes()).is_ok_and(|header| header.as_str() == name);
    if is_name && name.len() <= LONGEST_NAME {
        Ok(())
    } else {
        Err(format!("{key}: is not the name of a header in lower case"))
    }
}

/// RFC 6901 §3.
fn is_pointer(text: &str) -> bool {
    let is_escaped = |part: &str| part.starts_with(['0', '1']);
    text.len() <= LONGEST_NAME
        && (text.is_empty() || text.starts_with('/'))
        && text.split('~').skip(1).all(is_escaped)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::Value;

    use super::*;

    #[derive(Deserialize)]
    struct Case {
        recipe: Value,
        /// The key that is wrong, or null.
        wrong: Option<String>,
    }

    #[test]
    fn a_recipe_is_accepted_or_refused_as_its_case_says() {
        let text = include_str!("../../../../cases/pagination-cases.json");
        let cases: Vec<Case> = serde_json::from_str(text).unwrap();
        assert!(cases.len() >= 30);
        for Case { recipe, wrong } in cases {
            let result = Pagination::deserialize(&recipe)
                .map_err(|error| error.to_string())
                .and_then(|recipe| check_pagination(&recipe));
            match (&wrong, &result) {
                (None, Ok(())) => {}
                (Some(key), Err(why)) => {
                    let names = why.starts_with(&format!("{key}:")) || why.contains(&format!("`{key}`"));
                    // An unknown key or kind, and a value of another type, are refused before the checks.
                    let is_other = why.contains("invalid") || why.contains("unknown variant");
                    assert!(names || is_other, "{recipe}: {why}");
                }
                _ => panic!("{recipe}: {result:?}"),
            }
        }
    }
}
