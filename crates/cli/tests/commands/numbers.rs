//! Columns of enormous, tiny and constant numbers.

use serde_json::Value;

use crate::common::Folder;

#[test]
fn values_up_to_1e30_give_finite_losses_and_probabilities() {
    let folder = Folder::new();
    let mut text = "huge,tiny,constant,mixed,class\n".to_owned();
    for row in 0..80_u32 {
        let x = f64::from(row * 37 % 80) / 40.0 - 1.0;
        let mixed = if row % 9 == 0 { x * 1e30 } else { x };
        let class = if x > 0.0 { "up" } else { "down" };
        text += &format!("{:e},{:e},5,{mixed:e},{class}\n", x * 1e30, x * 1e-30);
    }
    folder.write("extreme.csv", text);
    let command =
        "train extreme.csv --target class -o m --epochs 60 --learning-rate 0.01 -q --json";
    let summary: Value = serde_json::from_str(&folder.succeeds(command)).unwrap();
    let loss = summary["valid"]["loss"].as_f64();
    assert!(loss.is_some_and(|loss| loss < 0.5), "{summary}");
    let predicted = folder.succeeds("predict m extreme.csv --json");
    assert!(!predicted.contains("NaN") && !predicted.contains("inf"), "{predicted}");
}
