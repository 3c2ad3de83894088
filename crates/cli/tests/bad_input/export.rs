//! Models that a form can't hold, rows that can't check it.

use crate::common::Folder;

const ONNX: &str = "export model.safetensors --format onnx -o m.onnx";

#[test]
fn a_form_that_is_not_there_is_refused() {
    let folder = Folder::with_model();
    let run = folder.run("export model.safetensors --format pickle -o m.pickle");
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(
        run.stderr.starts_with("error: invalid value 'pickle' for '--format"),
        "{}",
        run.stderr
    );
}

#[test]
fn what_is_no_model_is_not_exported() {
    let folder = Folder::with_model();
    folder.fails(
        "export good.csv --format onnx -o m.onnx",
        "good.csv: not a Kiln model: it does not start as safetensors files do",
    );
    folder.fails(
        "export none.safetensors --format onnx -o m.onnx",
        "cannot read none.safetensors: No such file or directory (os error 2)",
    );
}

#[test]
fn a_file_that_is_read_is_not_exported_over() {
    let folder = Folder::with_model();
    for (output, check) in [("model.safetensors", ""), ("good.csv", " --check good.csv")] {
        folder.fails(
            &format!("export model.safetensors --format onnx -o {output}{check}"),
            &format!(
                "cannot write {output}: it is another file of the same command, expected a name of its own"
            ),
        );
    }
}

#[test]
fn rows_that_cannot_check_a_graph_are_refused() {
    let folder = Folder::with_model();
    folder.write("empty.csv", "a,b\n");
    folder.fails(
        &format!("{ONNX} --check empty.csv"),
        "empty.csv has no rows, only names of columns",
    );
    folder.write("short.csv", "a\n1\n");
    folder.fails(
        &format!("{ONNX} --check short.csv"),
        "rows of short.csv: no column \"b\"; there are a",
    );
    folder.write("words.csv", "a,b\nx,y\n");
    folder.fails(
        &format!("{ONNX} --check words.csv"),
        "the model can use none of the rows of words.csv, expected some to check the graph on",
    );
    folder.fails(&format!("{ONNX} --check none.csv"), "none.csv: no such file");
}

#[test]
fn categories_have_no_place_in_a_matrix() {
    let folder = Folder::new();
    let rows =
        (0..60).map(|i| format!("{},{}\n", ["red", "green", "blue"][i % 3], ["x", "y"][i % 2]));
    folder.write("t.csv", format!("colour,class\n{}", rows.collect::<String>()));
    folder.succeeds("train t.csv --target class --epochs 1 -q -o t.safetensors");
    folder.fails(
        "export t.safetensors --format onnx --inputs matrix -o t.onnx",
        "column \"colour\" is a category, and a matrix holds numbers only: expected one input per column",
    );
}
