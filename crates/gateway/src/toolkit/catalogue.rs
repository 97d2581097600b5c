//! All toolkits of a gateway: the compiled-in ones, and the operator's own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, OnceLock};

use proxy_execute_protocol::{Advice, Error, ErrorKind, Result, quoted};
use serde::Deserialize;

use super::Toolkit;
use super::definition::Definition;

// `COMPILED_IN: &[(&str, &str)]` holds the slug and text of every file in `toolkits/`.
include!(concat!(env!("OUT_DIR"), "/toolkits.rs"));

/// The compiled-in toolkits, by slug. Most programs call a few of them, so each is read when it is first used.
static BUILT_IN: LazyLock<BTreeMap<&'static str, BuiltIn>> = LazyLock::new(|| {
    let built_in =
        |(slug, text): &(&'static str, &'static str)| (*slug, BuiltIn { text, toolkit: OnceLock::new() });
    COMPILED_IN.iter().map(built_in).collect()
});

/// A compiled-in toolkit.
struct BuiltIn {
    text: &'static str,
    toolkit: OnceLock<Arc<Toolkit>>,
}

impl BuiltIn {
    fn toolkit(&self) -> &Arc<Toolkit> {
        self.toolkit.get_or_init(|| {
            let toolkit = read(self.text);
            Arc::new(
                toolkit.unwrap_or_else(|why| panic!("a test checks that it is valid: {why}: {}", self.text)),
            )
        })
    }
}

/// The source of an operator's own toolkit.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum ToolkitSource {
    /// A `.toml` file, or a folder of them.
    Path(PathBuf),
    /// A definition with the same keys, as an object.
    Definition(serde_json::Value),
}

/// All toolkits of a gateway: the compiled-in ones, and the operator's own by slug.
#[derive(Debug)]
pub struct Catalogue(BTreeMap<String, Arc<Toolkit>>);

impl Catalogue {
    /// The compiled-in toolkits, overridden by those of `own`.
    ///
    /// # Errors
    /// `InvalidToolkit` with the file, the key and the reason.
    pub fn with(own: &[ToolkitSource]) -> Result<Self> {
        let mut toolkits = BTreeMap::new();
        let mut add = |toolkit: Toolkit| _ = toolkits.insert(toolkit.slug.clone(), Arc::new(toolkit));
        for (index, source) in own.iter().enumerate() {
            match source {
                ToolkitSource::Definition(definition) => {
                    let toolkit = Definition::deserialize(definition)
                        .map_err(|error| error.to_string())
                        .and_then(Toolkit::from_definition);
                    add(toolkit.map_err(|why| invalid(&format!("toolkits[{index}]"), &why))?);
                }
                ToolkitSource::Path(path) => {
                    for file in toml_files(path)? {
                        let name = file.display().to_string();
                        let text = std::fs::read_to_string(&file)
                            .map_err(|error| invalid(&name, &error.to_string()))?;
                        add(read(&text).map_err(|why| invalid(&name, &why))?);
                    }
                }
            }
        }
        Ok(Self(toolkits))
    }

    /// Returns the toolkit with this slug.
    ///
    /// # Errors
    /// `ToolkitNotFound`, with the slug that the caller probably meant.
    pub fn get(&self, slug: &str) -> Result<&Arc<Toolkit>> {
        if let Some(toolkit) = self.0.get(slug).or_else(|| BUILT_IN.get(slug).map(BuiltIn::toolkit)) {
            return Ok(toolkit);
        }
        let error = Error::new(
            ErrorKind::ToolkitNotFound,
            format!("There is no toolkit `{}` in this gateway.", quoted(slug)),
        );
        Err(match self.meant_by(slug) {
            Some(meant) => {
                error.fix(format!("Did you mean `{meant}`?")).advise(Advice::UseName(meant.to_owned()))
            }
            None => error.fix("Define it with the gateway's `toolkits` option; see docs/toolkits.md."),
        })
    }

    /// Returns the slug that a caller probably meant: by another name, with a typo, or by its beginning.
    fn meant_by(&self, text: &str) -> Option<&str> {
        // A longer text is no slug or name, and computing its distance would take long.
        let longest = self.iter().map(|toolkit| toolkit.slug.len()).max().unwrap_or_default();
        if text.is_empty() || text.chars().nth(longest + 2).is_some() {
            return None;
        }
        let wanted = plain(text);
        let by_name = self.iter().find(|toolkit| toolkit.has_name(&wanted));
        // The text differs in at most two letters, which are wrong, missing, extra or swapped.
        let nearest = || {
            let slugs = self.iter().map(|toolkit| &toolkit.slug);
            let near = slugs.map(|slug| (strsim::damerau_levenshtein(&plain(slug), &wanted), slug));
            near.filter(|(distance, slug)| *distance <= 2 && *distance < slug.len() / 2).min()
        };
        let by_beginning = || self.iter().find(|toolkit| toolkit.slug.starts_with(text));
        by_name
            .map(|toolkit| &toolkit.slug)
            .or_else(|| nearest().map(|(_, slug)| slug))
            .or_else(|| by_beginning().map(|toolkit| &toolkit.slug))
            .map(String::as_str)
    }

    /// All toolkits, by slug.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Toolkit>> {
        let built_in = BUILT_IN.iter().map(|(slug, built_in)| (*slug, built_in.toolkit()));
        let mut all: BTreeMap<&str, &Arc<Toolkit>> = built_in.collect();
        all.extend(self.0.iter().map(|(slug, toolkit)| (slug.as_str(), toolkit)));
        all.into_values()
    }
}

/// Returns a name as it is compared: in lower case, without the signs between words.
pub(super) fn plain(text: &str) -> String {
    text.to_lowercase().replace(['-', '_', ' ', '.'], "")
}

/// Parses and checks the text of a toolkit's file.
///
/// # Errors
/// The key and the reason.
pub(crate) fn read(text: &str) -> Result<Toolkit, String> {
    let definition: Definition =
        toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
    Toolkit::from_definition(definition)
}

fn toml_files(path: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = |error: std::io::Error| invalid(&path.display().to_string(), &error.to_string());
    if !std::fs::metadata(path).map_err(unreadable)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        if file.extension().is_some_and(|extension| extension == "toml") {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

fn invalid(file: &str, why: &str) -> Error {
    Error::new(ErrorKind::InvalidToolkit, format!("The toolkit in {file} cannot be used: {why}."))
        .fix("docs/toolkits.md describes the format.")
}
