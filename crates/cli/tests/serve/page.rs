//! The server's page in Chromium, by `tests/browser/page.py`.

use kiln::data::{Dataset, Targets, digits, mnist};

use crate::{
    common::{Folder, python, shared},
    server::Server,
};

/// Calls a function of the script; its first argument is where the server is.
fn check(server: &Server, function: &str, more: &str) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser");
    let address = server.address;
    python(
        &format!(
            "import sys; sys.dont_write_bytecode = True; sys.path.insert(0, {folder:?}); \
             import page; page.{function}('http://{address}', {more})"
        ),
        "",
    );
}

#[test]
fn a_form_predicts_as_the_server_does_and_files_come_back_with_predictions() {
    let Some(tables) = shared("KILN_TABULAR_DIR", "tabular") else { return };
    let table = tables.join("titanic.csv");
    let folder = Folder::new();
    folder.write("titanic.csv", std::fs::read(&table).unwrap());
    folder.succeeds("train titanic.csv --target Survived -o model.safetensors --epochs 5 -q");
    let server = Server::start(&folder, "--max-body 100000");
    check(&server, "form", &format!("{}, {table:?}", server.id()));
}

#[test]
fn the_page_asks_for_a_token() {
    let folder = Folder::with_model();
    let server = Server::start_with(&folder, "", &[("KILN_TOKEN", "right")]);
    check(&server, "token", "'right'");
}

/// A server of a model of the first rows of images, whose pixels are whole numbers up to `full`.
fn serve_images(images: &Dataset, full: f32, rows: usize, epochs: usize) -> (Folder, Server) {
    let Targets::Classes { indices, .. } = images.targets() else { panic!("digits are classes") };
    let mut text: String = (0..images.d_input()).map(|pixel| format!("pixel{pixel},")).collect();
    text += "digit\n";
    for (row, digit) in indices.iter().enumerate().take(rows) {
        for pixel in images.row(row) {
            text += &format!("{},", (pixel * full).round());
        }
        text += &format!("{digit}\n");
    }
    let folder = Folder::new();
    folder.write("digits.csv", text);
    folder.succeeds(&format!(
        "train digits.csv --target digit -o model.safetensors --preset fast --epochs {epochs} -q"
    ));
    let server = Server::start(&folder, "");
    (folder, server)
}

#[test]
fn digits_drawn_on_the_page_are_recognised_by_a_model_of_8_by_8_pixels() {
    let (_folder, server) = serve_images(&digits().train, 16.0, 1438, 10);
    check(&server, "drawing", "['0', '1']");
}

#[test]
fn digits_drawn_on_the_page_are_recognised_by_a_model_of_mnist() {
    let Some(folder) = shared("KILN_DATA_DIR", "mnist") else { return };
    let images = mnist(Some(&folder)).unwrap();
    let (_folder, server) = serve_images(&images.train, 255.0, 10_000, 4);
    check(&server, "drawing", "['0', '1', '7']");
}

#[test]
fn names_that_are_html_are_shown_as_they_are() {
    let folder = Folder::new();
    let labels: Vec<String> = (0..12).map(|label| format!("<i>{label}</i>")).collect();
    let mut text = format!("<script>alert(1)</script>,<b>kind</b>,{}\n", labels.join(","));
    for row in 0..60 {
        text += &format!("{}.5,{}", row * 37 % 60, ["<b>x</b>", "y & z"][row % 2]);
        for label in 0..12 {
            text += if row * (label + 3) % 7 < 3 { ",1" } else { ",0" };
        }
        text += "\n";
    }
    folder.write("names.csv", text);
    let labels = labels.join(",");
    folder
        .succeeds(&format!("train names.csv --target {labels} -o model.safetensors --epochs 3 -q"));
    check(&Server::start(&folder, ""), "names", "");
}
