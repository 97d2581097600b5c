//! `docs/errors.md` matches the table of kinds.

use proxy_execute_protocol::ErrorKind;

const PAGE: &str = include_str!("../../../docs/errors.md");

/// The cells of every row of the page's tables: those whose first one is a slug.
fn rows() -> Vec<Vec<&'static str>> {
    PAGE.lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

#[test]
fn the_page_has_one_row_for_every_kind() {
    let told: Vec<_> = rows()
        .iter()
        .filter_map(|cells| match cells.as_slice() {
            [slug, status, code, _class, meaning, advice] => {
                assert!(!meaning.is_empty() && !advice.is_empty(), "{slug}");
                Some((status.parse().unwrap(), code.parse().unwrap(), slug.trim_matches('`')))
            }
            [slug, _class, meaning, advice] => {
                assert!(!meaning.is_empty() && !advice.is_empty(), "{slug}");
                Some((0, 0, slug.trim_matches('`')))
            }
            // Errors of `session.paginate`, which the library makes.
            [slug, _meaning, _advice] if slug.starts_with("`Page") || *slug == "`NoPagination`" => None,
            // Classes without a slug, which are no kinds.
            [_class, code, _and] if code.starts_with("`TS-SDK::") => None,
            other => panic!("a row of {} cells: {other:?}", other.len()),
        })
        .collect();
    let known: Vec<_> = ErrorKind::ALL.iter().map(|kind| kind.facts()).collect();
    assert_eq!(told, known);
}
