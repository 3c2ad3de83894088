//! Files to predict or to evaluate that are not like the training file.

use crate::common::{Folder, good, good_but};

/// The columns of [`good`] named, in that order.
fn columns(names: &[&str]) -> String {
    let good = good();
    let mut text = String::new();
    for (line, text_of_line) in good.lines().enumerate() {
        let fields: Vec<&str> = text_of_line.split(',').collect();
        let picked = names.iter().map(|name| match *name {
            "a" => fields[0],
            "b" => fields[1],
            "class" => fields[2],
            other if line == 0 => other,
            _ => "0.5",
        });
        text += &(picked.collect::<Vec<&str>>().join(",") + "\n");
    }
    text
}

#[test]
fn columns_may_be_more_and_in_any_order() {
    let folder = Folder::with_model();
    folder.succeeds("predict model.safetensors good.csv -o good.out");
    for names in [&["b", "a"][..], &["zzz", "a", "class", "b"]] {
        folder.write("t.csv", columns(names));
        folder.succeeds("predict model.safetensors t.csv -o out.csv");
        assert_eq!(folder.read("out.csv"), folder.read("good.out"), "{names:?}");
    }
}

#[test]
fn a_column_that_lacks_is_named() {
    let folder = Folder::with_model();
    let fails = |names: &[&str], message: &str| {
        folder.write("t.csv", columns(names));
        folder.fails("predict model.safetensors t.csv", message);
        folder.fails("evaluate model.safetensors t.csv", message);
    };
    fails(&["a", "class"], "t.csv: no column \"b\"; there are a, class");
    fails(&["class", "zzz"], "t.csv: no columns \"a\", \"b\"");
    folder.write("t.csv", columns(&["a", "b"]));
    folder.fails("evaluate model.safetensors t.csv", "t.csv: no column \"class\"; there are a, b");
}

#[test]
fn a_value_of_another_type_is_named_by_its_line_and_the_old_output_kept() {
    let folder = Folder::with_model();
    folder.write("out.csv", "old");
    let cases = [
        ("1,big,x", "line 9, column \"b\": \"big\" is not a number"),
        ("inf,1,x", "line 9, column \"a\": \"inf\" is not a number"),
        ("1e400,1,x", "line 9, column \"a\": \"1e400\" is outside the range of numbers"),
        ("1", "line 9: 1 field, expected 3 as in the header"),
    ];
    for (line, problem) in cases {
        folder.write("t.csv", good_but(9, line));
        let message = format!("t.csv {problem}");
        folder.fails("predict model.safetensors t.csv -o out.csv", &message);
        folder.fails("predict model.safetensors t.csv -o out.csv --errors errors.csv", &message);
        folder.fails("evaluate model.safetensors t.csv", &message);
    }
    assert_eq!(folder.read("out.csv"), "old");
}

#[test]
fn an_unknown_class_is_an_error_of_evaluation_only() {
    let folder = Folder::with_model();
    folder.write("t.csv", good_but(9, "1,2,z"));
    folder.fails(
        "evaluate model.safetensors t.csv",
        "t.csv line 9, column \"class\": \"z\" is not one of the classes x, y",
    );
    folder.succeeds("predict model.safetensors t.csv -o out.csv");
}

#[test]
fn unusable_rows_are_left_out_or_null_and_listed() {
    let folder = Folder::with_model();
    let mut lines: Vec<String> = good().lines().map(str::to_owned).collect();
    lines[8] = "1,big,x".to_owned();
    lines[20] = "1".to_owned();
    folder.write("t.csv", lines.join("\n") + "\n");
    folder.succeeds("predict model.safetensors good.csv -o good.out");
    let good_out = folder.read("good.out");
    let warning = "warning: 2 of 60 rows could not be used, the first: t.csv line 9, column \"b\": \
                   \"big\" is not a number\n";
    for what in ["skip", "null"] {
        let run = folder.run(&format!(
            "predict model.safetensors t.csv -o out.csv --on-error {what} --errors errors.csv"
        ));
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), warning), "{what}");
        let expected = good_out.lines().enumerate().filter_map(|(line, text)| match (line, what) {
            (8 | 20, "skip") => None,
            (8 | 20, _) => Some(",,"),
            _ => Some(text),
        });
        let expected: Vec<&str> = expected.collect();
        assert_eq!(folder.read("out.csv").lines().collect::<Vec<_>>(), expected, "{what}");
        assert_eq!(
            folder.read("errors.csv"),
            "location,column,problem\n\
             line 9,b,\"\"\"big\"\" is not a number\"\n\
             line 21,,\"1 field, expected 3 as in the header\"\n"
        );
    }
}

#[test]
fn a_column_to_keep_must_be_there_and_once() {
    let folder = Folder::with_model();
    folder.fails(
        "predict model.safetensors good.csv --keep clas",
        "good.csv: no column \"clas\"; did you mean \"class\"?",
    );
    folder.fails(
        "predict model.safetensors good.csv --keep a,a",
        "the output would have two columns \"a\": leave one out of `--keep`",
    );
}

#[test]
fn a_file_without_rows_is_refused() {
    let folder = Folder::with_model();
    folder.write("t.csv", "a,b\n");
    folder.fails("predict model.safetensors t.csv", "t.csv has no rows, only names of columns");
    folder.write("t.csv", "");
    folder.fails("predict model.safetensors t.csv", "t.csv is empty, expected a table");
}
