//! Names of columns as identifiers.

use std::collections::HashSet;

/// Of edition 2024, those reserved for later included.
const KEYWORDS: [&str; 52] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate",
    "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl",
    "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref",
    "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "where", "while", "yield", "union",
];

/// One identifier for each name, all different: `SibSp` is `sib_sp`, `mass (g)` is `mass_g`, `type` is `type_`.
///
/// Of ASCII letters and digits, as lints ask for.
pub(super) fn identifiers<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut taken = HashSet::new();
    let unique = |name: &str| {
        let first = identifier(name);
        let mut found = first.clone();
        for count in 2.. {
            if taken.insert(found.clone()) {
                break;
            }
            found = format!("{}_{count}", first.trim_end_matches('_'));
        }
        found
    };
    names.map(unique).collect()
}

fn identifier(name: &str) -> String {
    let mut words = String::new();
    let mut after_lower = false;
    for letter in name.chars() {
        let part = letter.is_ascii_alphanumeric();
        let new_word = !part || (letter.is_ascii_uppercase() && after_lower);
        if new_word && !words.is_empty() && !words.ends_with('_') {
            words.push('_');
        }
        if part {
            words.push(letter.to_ascii_lowercase());
        }
        after_lower = letter.is_ascii_lowercase() || letter.is_ascii_digit();
    }
    let words = words.trim_end_matches('_');
    if words.is_empty() {
        "column".to_owned()
    } else if words.starts_with(|first: char| first.is_ascii_digit()) {
        format!("column_{words}")
    } else if KEYWORDS.contains(&words) {
        format!("{words}_")
    } else {
        words.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_an_identifier_of_its_own() {
        let names = [
            ("SibSp", "sib_sp"),
            ("mass (g)", "mass_g"),
            ("PClass", "pclass"),
            ("type", "type_"),
            ("Type", "type_2"),
            ("type_2", "type_2_2"),
            ("self", "self_"),
            ("2", "column_2"),
            ("größe", "gr_e"),
            ("数", "column"),
            ("", "column_3"),
            ("a//\nb", "a_b"),
            ("__a__b__", "a_b_2"),
            ("crime.rate2020", "crime_rate2020"),
        ];
        let found = identifiers(names.iter().map(|(name, _)| *name));
        assert_eq!(found, names.map(|(_, identifier)| identifier));
    }
}
