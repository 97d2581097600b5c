//! Compiles the catalogue in: one `include_str!` for every file in `toolkits/`.

use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("toolkits");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files: Vec<_> =
        fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    // A file is named as its toolkit, so that one toolkit is found without reading all files.
    let entries: String = files
        .iter()
        .map(|file| format!("({:?}, include_str!({file:?})),\n", file.file_stem().unwrap_or_default()))
        .collect();
    let out = Path::new(&env::var("OUT_DIR").expect("cargo sets it")).join("toolkits.rs");
    fs::write(out, format!("static COMPILED_IN: &[(&str, &str)] = &[\n{entries}];\n"))
}
