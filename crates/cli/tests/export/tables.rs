//! The real tables, and the real MNIST, where they are.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

/// A table of the project's data.
pub(crate) struct RealTable {
    /// Its file's name.
    pub(crate) file: String,
    /// The lines that are used: enough of a long table.
    pub(crate) content: String,
    /// Whether the first line names the columns.
    pub(crate) header: bool,
    /// The target, as `kiln train` takes it.
    pub(crate) target: String,
}

/// None, with a notice, where they are not there.
pub(crate) fn real_tables() -> Vec<RealTable> {
    let Some(folder) = folder_of("KILN_TABULAR_DIR", "tabular") else { return Vec::new() };
    let index = fs::read_to_string(folder.join("index.json")).unwrap();
    let index: Vec<Value> = serde_json::from_str(&index).unwrap();
    let table = |table: &Value| {
        let file = table["file"].as_str().unwrap();
        let content = fs::read_to_string(folder.join(file)).unwrap();
        let lines: Vec<&str> = content.lines().take(2000).collect();
        let header = table["header"] == true;
        let target = match &table["target"] {
            Value::Number(index) if header => {
                let mut names = lines[0].split(table["delimiter"].as_str().unwrap());
                let name = names.nth(index.as_u64().unwrap() as usize).unwrap();
                name.trim_matches('"').to_owned()
            }
            Value::Number(index) => match index.as_i64().unwrap() {
                -1 => "last".to_owned(),
                index => format!("column_{}", index + 1),
            },
            name => name.as_str().unwrap().to_owned(),
        };
        RealTable { file: file.to_owned(), content: lines.join("\n"), header, target }
    };
    index.iter().map(table).collect()
}

/// A folder of the project's data: the one that the variable names, or the one beside the checkout.
pub(crate) fn folder_of(variable: &str, name: &str) -> Option<PathBuf> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = data.ancestors().map(|folder| folder.join("../shared/data").join(name));
    let path =
        env::var_os(variable).map(PathBuf::from).or_else(|| shared.clone().find(|p| p.exists()));
    let path = path.filter(|path| path.exists());
    if path.is_none() {
        eprintln!("not tested: no folder {name} of data (see {variable})");
    }
    path
}
