//! The forms of targets, losses and weights.

use serde_json::Value;

use crate::common::{Folder, good};

const TRAIN: &str = "-o m.safetensors --epochs 2 -q";

fn inspected(folder: &Folder) -> Value {
    serde_json::from_str(&folder.succeeds("inspect m.safetensors --json")).unwrap()
}

/// Sixty rows `f,g` with three columns of 0 and 1.
fn with_flags(row: fn(u32) -> [u32; 3]) -> Folder {
    let mut text = "f,g,red,green,blue\n".to_owned();
    for at in 0..60_u32 {
        let [red, green, blue] = row(at);
        text += &format!("{},{}.5,{red},{green},{blue}\n", at * 37 % 60, at * 23 % 59);
    }
    let folder = Folder::new();
    folder.write("t.csv", text);
    folder
}

#[test]
fn several_labels_are_predicted_each_for_itself() {
    let folder = with_flags(|row| [row % 2, u32::from(row % 3 == 0), u32::from(row < 30)]);
    folder.succeeds(&format!("train t.csv --target red,green,blue {TRAIN}"));
    assert!(
        inspected(&folder)["task"].to_string().contains("multi_label"),
        "{}",
        inspected(&folder)["task"]
    );
    let out = folder.succeeds("predict m.safetensors t.csv");
    let header = "prediction,probability_red,probability_green,probability_blue\n";
    assert!(out.starts_with(header), "{out}");
    folder.succeeds("evaluate m.safetensors t.csv");
}

#[test]
fn one_hot_columns_are_classes() {
    let folder = with_flags(|row| {
        let mut flags = [0; 3];
        flags[(row % 3) as usize] = 1;
        flags
    });
    folder.succeeds(&format!("train t.csv --target red,green,blue {TRAIN}"));
    let out = folder.succeeds("predict m.safetensors t.csv");
    for line in out.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        assert!(["red", "green", "blue"].contains(&fields[0]), "{line}");
        let sum: f32 = fields[1..].iter().map(|p| p.parse::<f32>().unwrap()).sum();
        assert!((sum - 1.0).abs() < 1e-4, "{line}");
    }
    folder.succeeds("evaluate m.safetensors t.csv");
}

#[test]
fn the_positive_class_is_the_second_or_the_one_named() {
    let folder = Folder::new();
    folder.write("t.csv", good());
    for (flags, positive) in [("", "y"), ("--positive x", "x")] {
        folder.succeeds(&format!("train t.csv --target class {flags} {TRAIN}"));
        let text = folder.succeeds("inspect m.safetensors");
        let expected = format!("positive: {positive}, from a probability of 0.5 on\n");
        assert!(text.contains(&expected), "{text}");
    }
}

#[test]
fn each_loss_can_be_asked_for() {
    let folder = Folder::new();
    folder.write("t.csv", good());
    for loss in ["auto", "binary", "categorical", "sparse"] {
        folder.succeeds(&format!("train t.csv --target class --loss {loss} {TRAIN}"));
        let out = folder.succeeds("predict m.safetensors t.csv");
        assert!(out.starts_with("prediction,probability_x,probability_y\n"), "{loss}: {out}");
        assert_eq!(out.lines().count(), 61, "{loss}");
    }
}

#[test]
fn weights_are_no_feature_and_change_what_is_learned() {
    let folder = Folder::new();
    let weighted = |y_weight: u32| -> String {
        let good = good();
        let rows = good.lines().skip(1).map(|line| {
            let weight = if line.ends_with('y') { y_weight } else { 1 };
            format!("{line},{weight}\n")
        });
        format!("a,b,class,w\n{}", rows.collect::<String>())
    };
    let mut probabilities = Vec::new();
    for y_weight in [1, 50] {
        folder.write("t.csv", weighted(y_weight));
        folder.succeeds(&format!(
            "train t.csv --target class --weight w --epochs 5 {}",
            &TRAIN[..16]
        ));
        let out = folder.succeeds("predict m.safetensors t.csv");
        let of_y = out.lines().skip(1).map(|line| line.rsplit(',').next().unwrap());
        probabilities.push(of_y.map(|p| p.parse::<f32>().unwrap()).sum::<f32>());
        folder.succeeds("evaluate m.safetensors t.csv --weight w");
    }
    assert!(probabilities[1] > probabilities[0] + 1.0, "{probabilities:?}");
    folder.write("t.csv", good());
    folder.succeeds("predict m.safetensors t.csv");
}
