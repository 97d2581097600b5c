//! `{{field}}` templates of a toolkit's definition.

use std::collections::BTreeSet;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// A text with placeholders for fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Field(String),
}

/// A field that is missing, or whose value must not be in a URL.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FieldProblem {
    pub(super) field: String,
    pub(super) why: String,
}

impl Template {
    /// Parses `text with {{field}} in it`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, after) =
                after.split_once("}}").ok_or_else(|| format!("`{text}` has `{{{{` without `}}}}`"))?;
            let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
            if name.is_empty() || !name.chars().all(is_name) {
                return Err(format!("`{name}` in `{text}` is not a field's name"));
            }
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(Piece::Field(name.to_owned()));
            rest = after;
        }
        if rest.contains("}}") {
            return Err(format!("`{text}` has `}}}}` without `{{{{`"));
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self(pieces))
    }

    /// The names of the fields in the template.
    pub(super) fn field_names(&self) -> Vec<String> {
        let name = |piece: &Piece| match piece {
            Piece::Field(name) => Some(name.clone()),
            Piece::Text(_) => None,
        };
        self.0.iter().filter_map(name).collect()
    }

    /// Fills values into the template. The error is the name of a field without a value.
    pub(super) fn render(
        &self,
        value: impl Fn(&str) -> Option<SecretString>,
    ) -> Result<SecretString, String> {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Field(name) => text.push_str(value(name).ok_or_else(|| name.clone())?.expose_secret()),
            }
        }
        Ok(text.into())
    }

    /// The fields in the host of a URL, and the text that ends the host after the last of them.
    fn host(&self) -> (BTreeSet<String>, String) {
        let (mut names, mut end, mut in_host) = (BTreeSet::new(), String::new(), false);
        for piece in &self.0 {
            let text = match piece {
                Piece::Field(name) => {
                    if in_host {
                        names.insert(name.clone());
                        end.clear();
                    }
                    continue;
                }
                Piece::Text(text) => text.as_str(),
            };
            let text = if in_host { text } else { text.split_once("://").map_or("", |(_, rest)| rest) };
            in_host = true;
            let (host, after) = text.split_at(text.find(['/', '?', '#', ':']).unwrap_or(text.len()));
            end.push_str(host);
            if !after.is_empty() {
                break;
            }
        }
        (names, end)
    }

    /// The fields in the host of a URL.
    pub(super) fn host_fields(&self) -> BTreeSet<String> {
        self.host().0
    }

    /// A URL whose host comes from the definition alone. An account's fields do not determine the host.
    pub(super) fn own_url(
        &self,
        default: impl Fn(&str) -> Option<SecretString>,
    ) -> Result<String, FieldProblem> {
        let in_host = self.host_fields();
        let elsewhere = |name: &str| (!in_host.contains(name)).then(|| "example".into());
        // All values come from the definition itself, so dots are allowed.
        self.render_host_parts(|name| default(name).or_else(|| elsewhere(name)), |_| true)
    }

    /// The fields in the host of a URL, if they allow any host.
    ///
    /// Otherwise the host ends in at least two labels of the provider, such as `.example.com`.
    pub(super) fn open_host_fields(&self) -> BTreeSet<String> {
        let (names, end) = self.host();
        let is_providers = end.strip_prefix('.').is_some_and(|end| end.contains('.'));
        if is_providers { BTreeSet::new() } else { names }
    }

    /// The part of the host after its last field, which belongs to the provider.
    ///
    /// For `https://{{a}}.example.com/x` this is `example.com`. `None` if the host has no field, or if its
    /// fields allow any host.
    pub(super) fn providers_domain(&self) -> Option<String> {
        let (names, end) = self.host();
        let domain =
            end.strip_prefix('.').filter(|_| !names.is_empty() && self.open_host_fields().is_empty());
        domain.map(str::to_owned)
    }

    /// Fills values into a URL. A value must not be able to change the host.
    ///
    /// So a value has only letters, digits, `-` and `_`. Dots are allowed in a value that is the whole host,
    /// or that ends a segment of the path. They are also allowed if the definition lists the values
    /// (`is_listed`).
    pub(super) fn render_host_parts(
        &self,
        value: impl Fn(&str) -> Option<SecretString>,
        is_listed: impl Fn(&str) -> bool,
    ) -> Result<String, FieldProblem> {
        let mut text = String::new();
        for (index, piece) in self.0.iter().enumerate() {
            let name = match piece {
                Piece::Text(piece) => {
                    text.push_str(piece);
                    continue;
                }
                Piece::Field(name) => name,
            };
            let problem = |why: &str| FieldProblem { field: name.clone(), why: why.to_owned() };
            let value = value(name).ok_or_else(|| problem("it is missing"))?;
            let value = value.expose_secret();
            let next = match self.0.get(index + 1) {
                Some(Piece::Text(next)) => next.as_str(),
                _ => "",
            };
            let begins_host = text.ends_with("://");
            let in_path = text.split_once("://").is_some_and(|(_, rest)| rest.contains('/'));
            let is_part = (begins_host || in_path) && (next.is_empty() || next.starts_with('/'));
            let dots_allowed = is_part || is_listed(name);
            let is_allowed =
                |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_') || (dots_allowed && c == '.');
            if value.is_empty() || !value.chars().all(is_allowed) || value.split('.').any(str::is_empty) {
                return Err(problem("it may have letters, digits, `-` and `_` only"));
            }
            text.push_str(value);
        }
        Ok(text)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => f.write_str(text)?,
                Piece::Field(name) => write!(f, "{{{{{name}}}}}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(template: &str, value: &str) -> Result<String, FieldProblem> {
        Template::parse(template).unwrap().render_host_parts(|_| Some(value.into()), |_| false)
    }

    #[test]
    fn fields_are_inserted_into_the_template() {
        let template = Template::parse("Bearer {{token}}!").unwrap();
        assert_eq!(template.field_names(), ["token"]);
        let text = template.render(|name| Some(format!("<{name}>").into())).unwrap();
        assert_eq!(text.expose_secret(), "Bearer <token>!");
        assert_eq!(template.render(|_| None).unwrap_err(), "token");
    }

    #[test]
    fn broken_templates_are_refused() {
        for text in ["{{a", "a}}", "{{}}", "{{a b}}", "{{a.b}}"] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_host_belongs_to_the_provider_or_is_open() {
        for (template, in_host, open) in [
            ("https://{{a}}.example.com/{{b}}", vec!["a"], vec![]),
            ("https://{{a}}/x/{{b}}", vec!["a"], vec!["a"]),
            ("https://{{a}}:{{b}}/x", vec!["a"], vec!["a"]),
            ("https://{{a}}.{{b}}.example.com", vec!["a", "b"], vec![]),
            ("https://{{a}}.api.{{b}}", vec!["a", "b"], vec!["a", "b"]),
            ("https://{{a}}.com", vec!["a"], vec!["a"]),
            ("https://{{a}}example.com", vec!["a"], vec!["a"]),
            ("https://api.example.com/{{b}}", vec![], vec![]),
            ("https://api.example.com?x={{b}}", vec![], vec![]),
        ] {
            let parsed = Template::parse(template).unwrap();
            assert_eq!(Vec::from_iter(parsed.host_fields()), in_host, "{template}");
            assert_eq!(Vec::from_iter(parsed.open_host_fields()), open, "{template}");
            let is_providers = !in_host.is_empty() && open.is_empty();
            let domain = is_providers.then(|| "example.com".to_owned());
            assert_eq!(parsed.providers_domain(), domain, "{template}");
        }
    }

    #[test]
    fn a_field_cannot_move_the_host() {
        assert_eq!(host("https://{{s}}.zendesk.com", "acme").unwrap(), "https://acme.zendesk.com");
        assert_eq!(host("https://{{s}}/api", "git.acme.example").unwrap(), "https://git.acme.example/api");
        for value in
            ["evil.com/", "evil.com#", "evil.com?", "a@b", "a:b", "acme.zendesk.com", "", " ", "ä", "a\n"]
        {
            assert!(host("https://{{s}}.zendesk.com", value).is_err(), "{value:?}");
        }
        for template in ["https://www.zoho.{{s}}", "https://api-{{s}}/v1"] {
            assert!(host(template, "com").is_ok());
            assert!(host(template, "com.evil.example").is_err(), "{template}");
        }
        for value in ["..", ".", "a/../..", "a..b"] {
            assert!(host("https://api.example.com/{{s}}", value).is_err(), "{value:?}");
        }
    }
}
