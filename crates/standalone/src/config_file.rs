//! The configuration file: options that every command reads, so that they are said once.

use std::collections::BTreeMap;
use std::env;
use std::path::{Component, Path, PathBuf};

use proxy_execute_protocol::quoted;
use proxy_execute_server::{ConfigValue, read_config};

use crate::arguments::{check_whole, suggest};
use crate::failure::Failure;
use crate::table::{self, Opt};

const VARIABLE: &str = "PROXY_EXECUTE_CONFIG";

/// The file in the current folder, which is used if it exists.
const DEFAULT: &str = "./proxy-execute.toml";

/// Reads the options of the configuration file: the one on the command line, or else of the environment, or else
/// in the current folder.
pub(crate) fn read_config_file(given: Option<&str>) -> Result<BTreeMap<&'static str, Vec<String>>, Failure> {
    let of_environment = env::var(VARIABLE).ok().filter(|file| !file.is_empty());
    let in_folder = || Path::new(DEFAULT).exists().then(|| DEFAULT.to_owned());
    let Some(file) = given.map(str::to_owned).or(of_environment).or_else(in_folder) else {
        return Ok(BTreeMap::new());
    };
    let mut values = BTreeMap::new();
    for (name, value) in read_config(Path::new(&file))? {
        let Some(option) = table::of_config_file().find(|option| option.name == name) else {
            let known: Vec<&str> = table::of_config_file().map(|option| option.name.as_str()).collect();
            let hint = suggest(&name, &known);
            return Err(Failure::Usage(format!("{file}: There is no option {}: {hint}", quoted(&name))));
        };
        let texts = read(&format!("{file}: {name}"), value, option)?;
        if texts.is_empty() {
            continue;
        }
        let beside = |path| if option.path { beside_file(&file, path) } else { path };
        values.insert(option.name.as_str(), texts.into_iter().map(beside).collect());
    }
    Ok(values)
}

fn read(shown: &str, value: ConfigValue, option: &Opt) -> Result<Vec<String>, Failure> {
    let refused = |fact: String| Err(Failure::Usage(format!("{shown} {fact}.")));
    match (value, &option.value) {
        (ConfigValue::Flag(is_set), None) => Ok(is_set.then(String::new).into_iter().collect()),
        (ConfigValue::Texts(_), None) => refused("is true or false".to_owned()),
        (ConfigValue::Flag(_), Some(placeholder)) => refused(format!("needs a value: {placeholder}")),
        (ConfigValue::Texts(texts), Some(_)) => {
            if !option.many && texts.len() != 1 {
                return refused("has one value".to_owned());
            }
            if option.whole {
                texts.iter().try_for_each(|text| check_whole(shown, text, option))?;
            }
            Ok(texts)
        }
    }
}

/// A path of the file, which is relative to it. A URL or a store in memory is none.
fn beside_file(file: &str, path: String) -> String {
    if Path::new(&path).is_absolute() || path.contains("://") || path == ":memory:" {
        return path;
    }
    let folder = Path::new(file).parent().unwrap_or(Path::new(""));
    let beside = folder.join(path);
    beside.components().filter(|part| *part != Component::CurDir).collect::<PathBuf>().display().to_string()
}
