//! All toolkits of a gateway: the compiled-in ones, and the operator's own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use proxy_execute_protocol::{Advice, Error, ErrorKind, Result, quoted};
use serde::Deserialize;

use super::Toolkit;
use super::definition::Definition;

// `COMPILED_IN: &[(&str, &str)]` holds the file name and text of every file in `toolkits/`.
include!(concat!(env!("OUT_DIR"), "/toolkits.rs"));

static BUILT_IN: LazyLock<BTreeMap<String, Arc<Toolkit>>> = LazyLock::new(|| {
    COMPILED_IN
        .iter()
        .map(|(file, text)| {
            let toolkit =
                read(text).unwrap_or_else(|why| panic!("a test checks that {file} is valid: {why}"));
            (toolkit.slug.clone(), Arc::new(toolkit))
        })
        .collect()
});

/// The source of an operator's own toolkit.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum ToolkitSource {
    /// A `.toml` file, or a folder of them.
    Path(PathBuf),
    /// A definition with the same keys, as an object.
    Definition(serde_json::Value),
}

/// All toolkits of a gateway, by slug.
#[derive(Debug)]
pub struct Catalogue(BTreeMap<String, Arc<Toolkit>>);

impl Catalogue {
    /// The compiled-in toolkits, overridden by those of `own`.
    ///
    /// # Errors
    /// `InvalidToolkit` with the file, the key and the reason.
    pub fn with(own: &[ToolkitSource]) -> Result<Self> {
        let mut toolkits = BUILT_IN.clone();
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
        self.0.get(slug).ok_or_else(|| {
            let plain = |text: &str| text.to_lowercase().replace(['-', '_', ' '], "");
            // A suggestion differs in at most two letters, which are wrong, missing, extra or swapped. A
            // longer text resembles no slug, and computing its distance would take long.
            let longest = self.0.keys().map(String::len).max().unwrap_or_default();
            let candidates = self.0.keys().filter(|_| slug.chars().nth(longest + 2).is_none());
            let nearest = candidates
                .map(|known| (strsim::damerau_levenshtein(&plain(known), &plain(slug)), known))
                .filter(|(distance, known)| *distance <= 2 && *distance < known.len() / 2)
                .min();
            let meant = nearest
                .map(|(_, known)| known)
                .or_else(|| self.0.keys().find(|known| known.starts_with(slug)));
            let error = Error::new(
                ErrorKind::ToolkitNotFound,
                format!("There is no toolkit `{}` in this gateway.", quoted(slug)),
            );
            match meant.filter(|_| !slug.is_empty()) {
                Some(meant) => {
                    error.fix(format!("Did you mean `{meant}`?")).advise(Advice::UseName(meant.clone()))
                }
                None => error.fix("Define it with the gateway's `toolkits` option; see docs/toolkits.md."),
            }
        })
    }

    /// All toolkits, by slug.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Toolkit>> {
        self.0.values()
    }
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
