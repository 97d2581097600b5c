//! The list in `docs/toolkits.md` and the types in `lib/built-in-toolkits.ts` match `toolkits/`. With
//! `UPDATE_DOCS=1` the tests write them.

#![expect(clippy::unwrap_used, reason = "a test may panic where it likes")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

use serde::Deserialize;
use toml::Value;

const BEGIN: &str = "<!-- list -->\n";
const END: &str = "<!-- end of list -->\n";

/// The parts of a toolkit's file that the list shows.
#[derive(Deserialize)]
struct Toolkit {
    slug: String,
    name: String,
    docs: String,
    categories: Vec<String>,
    base_url: String,
    #[serde(default)]
    hosts: Vec<String>,
    #[serde(default)]
    fields: BTreeMap<String, Value>,
    schemes: BTreeMap<String, Value>,
    pagination: Option<toml::Table>,
    rate_limit: Option<toml::Table>,
    /// The statements that no page of the provider confirms, as the comments of the file say.
    #[serde(skip)]
    unconfirmed: Vec<String>,
}

/// The built-in toolkits, by slug.
fn toolkits() -> Vec<Toolkit> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("toolkits");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |file: &PathBuf| {
        let text = fs::read_to_string(file).unwrap();
        let mut toolkit: Toolkit = toml::from_str(&text).unwrap();
        assert_eq!(file.file_stem().unwrap(), toolkit.slug.as_str(), "a file is named as its toolkit");
        assert!(!toolkit.categories.is_empty(), "{} has no category", toolkit.slug);
        let notes = text.lines().filter_map(|line| line.strip_prefix("# Unconfirmed: "));
        toolkit.unconfirmed = notes.map(str::to_owned).collect();
        toolkit
    };
    files.iter().map(read).collect()
}

/// The toolkits by their first category, and the statements that are not confirmed.
fn list() -> String {
    let toolkits = toolkits();
    let categories: BTreeSet<&String> = toolkits.iter().map(|toolkit| &toolkit.categories[0]).collect();
    let mut list = String::new();
    for category in categories {
        let is_in = |toolkit: &&Toolkit| toolkit.categories[0] == *category;
        let mut name = category.replace('-', " ");
        name[..1].make_ascii_uppercase();
        write!(list, "### {name}\n\n").unwrap();
        table(&mut list, toolkits.iter().filter(is_in));
        list.push('\n');
    }
    list.push_str(
        "### Unconfirmed\n\nNo page of the provider that was read says these parts of the files.\n\n",
    );
    for Toolkit { slug, unconfirmed, .. } in &toolkits {
        for note in unconfirmed {
            // A placeholder is no expression of a page.
            let note = note.replace("{{", "`{{").replace("}}", "}}`").replace("``", "`");
            writeln!(list, "- `{slug}`: {note}").unwrap();
        }
    }
    list
}

fn table<'a>(list: &mut String, toolkits: impl Iterator<Item = &'a Toolkit>) {
    list.push_str(
        "| slug | | base URL and further hosts | schemes and their fields | scopes that OAuth asks for | pages |\n",
    );
    list.push_str("| --- | --- | --- | --- | --- | --- |\n");
    for toolkit in toolkits {
        let Toolkit { slug, name, docs, .. } = toolkit;
        let hosts = hosts(toolkit).join("<br>");
        let schemes: Vec<_> =
            toolkit.schemes.iter().map(|(name, scheme)| shown(toolkit, name, scheme)).collect();
        let schemes = schemes.join("<br>");
        let scopes = scopes(toolkit).join("<br>");
        let pages = pages(toolkit);
        writeln!(list, "| `{slug}` | [{name}]({docs}) | {hosts} | {schemes} | {scopes} | {pages} |").unwrap();
    }
}

/// The base URL and hosts, then those of schemes that have their own.
fn hosts(toolkit: &Toolkit) -> Vec<String> {
    let code = |text: &str| format!("`{text}`");
    let mut shown = vec![code(&toolkit.base_url)];
    shown.extend(toolkit.hosts.iter().map(|host| code(host)));
    for (name, scheme) in &toolkit.schemes {
        if let Some(base_url) = scheme.get("base_url").and_then(Value::as_str) {
            let hosts = scheme.get("hosts").and_then(Value::as_array).into_iter().flatten();
            let hosts: String =
                hosts.filter_map(Value::as_str).map(|host| format!(", {}", code(host))).collect();
            shown.push(format!("{name}: {}{hosts}", code(base_url)));
        }
    }
    shown
}

/// A scheme and the fields that its templates name.
fn shown(toolkit: &Toolkit, name: &str, scheme: &Value) -> String {
    let mut fields = BTreeSet::new();
    let own_base_url = scheme.get("base_url").and_then(Value::as_str);
    collect_fields(&Value::from(own_base_url.unwrap_or(&toolkit.base_url)), &mut fields);
    if let Value::Table(parts) = scheme {
        parts
            .iter()
            .filter(|(key, _)| *key != "setup")
            .for_each(|(_, part)| collect_fields(part, &mut fields));
    }
    let fields: Vec<_> = fields
        .iter()
        .map(|field| {
            let has_default = toolkit.fields.get(field).is_some_and(|field| field.get("default").is_some());
            format!("`{field}`{}", if has_default { "?" } else { "" })
        })
        .collect();
    if fields.is_empty() { name.to_owned() } else { format!("{name}: {}", fields.join(", ")) }
}

/// The kind of pagination, with the page that documents it.
fn pages(toolkit: &Toolkit) -> String {
    let Some(recipe) = &toolkit.pagination else { return String::new() };
    let text = |key: &str| recipe.get(key).and_then(Value::as_str).unwrap();
    assert!(text("docs").starts_with("https://"));
    format!("[{}]({})", text("kind"), text("docs"))
}

fn scopes(toolkit: &Toolkit) -> Vec<String> {
    let server = toolkit.schemes.get("OAUTH2").and_then(|scheme| scheme.get("authorization_server"));
    let scopes = server.and_then(|server| server.get("scopes")).and_then(Value::as_array);
    scopes.into_iter().flatten().filter_map(Value::as_str).map(|scope| format!("`{scope}`")).collect()
}

fn collect_fields(value: &Value, fields: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            let names = text.split("{{").skip(1).filter_map(|rest| rest.split_once("}}"));
            fields.extend(names.map(|(name, _)| name.to_owned()));
        }
        Value::Table(table) => table.values().for_each(|value| collect_fields(value, fields)),
        _ => {}
    }
}

#[test]
fn the_list_of_built_in_toolkits_is_current() {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = crate_folder.join("../../docs/toolkits.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (told, after) = rest.split_once(END).unwrap();
    let list = list();
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path, [before, BEGIN, &list, END, after].concat()).unwrap();
    } else {
        assert_eq!(told, list, "docs/toolkits.md is stale: run this test with UPDATE_DOCS=1, and commit it");
    }
    let count = toolkits().len();
    assert!(
        before.contains(&format!("{count} are built in")),
        "the page should say that {count} are built in"
    );
}

/// A value as the formatter of `lib/` writes it, without the pages that document it.
fn typescript(value: &Value, indent: &str) -> String {
    let inner = format!("{indent}  ");
    match value {
        Value::Table(table) => {
            let fields: String = table
                .iter()
                .filter(|(key, _)| *key != "docs")
                .map(|(key, value)| format!("{inner}{key}: {},\n", typescript(value, &inner)))
                .collect();
            format!("{{\n{fields}{indent}}}")
        }
        Value::String(text) => {
            assert!(!text.contains(['\'', '\\']), "{text} needs an escape");
            format!("'{text}'")
        }
        other => other.to_string(),
    }
}

#[test]
fn the_types_of_built_in_toolkits_are_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../lib/built-in-toolkits.ts");
    let mut types = String::from(
        "// The built-in toolkits of a gateway. This file is written from crates/gateway/toolkits by:\n\
         // UPDATE_DOCS=1 cargo test -p proxy-execute-gateway --test toolkits_page\n\n\
         import type { ToolkitFacts } from './toolkit';\n\n\
         /** The slug of a toolkit: a built-in one, or any other. */\n\
         export type ToolkitSlug =\n",
    );
    for Toolkit { slug, .. } in toolkits() {
        writeln!(types, "  | '{slug}'").unwrap();
    }
    types.push_str("  | (string & Record<never, never>);\n\n");
    types.push_str("/** The pages and rate limits of their APIs. */\n");
    types.push_str("export const BUILT_IN: Readonly<Record<string, ToolkitFacts>> = {\n");
    for Toolkit { slug, pagination, rate_limit, .. } in toolkits() {
        let facts = [("pagination", pagination), ("rate_limit", rate_limit)];
        let facts: toml::Table = facts
            .into_iter()
            .filter_map(|(key, table)| Some((key.to_owned(), Value::Table(table?))))
            .collect();
        if !facts.is_empty() {
            writeln!(types, "  {slug}: {},", typescript(&Value::Table(facts), "  ")).unwrap();
        }
    }
    types.push_str("};\n");
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path, types).unwrap();
    } else {
        let current = fs::read_to_string(path).unwrap();
        assert_eq!(current, types, "lib/built-in-toolkits.ts is stale: run this test with UPDATE_DOCS=1");
    }
}
