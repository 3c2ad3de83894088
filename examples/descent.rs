//! Gradient descent seen: a model of two parameters, its loss surface, and four ways down.
//!
//! One feature, one binary target: p = sigmoid(w·x + b). All rows at once, one row, a mini-batch of
//! eight, and all rows with too large a learning rate. Writes `descent.svg`, or the file named.

use burn::backend::Autodiff;
use burn::optim::{GradientsParams, Optimizer, SgdConfig};
use burn_ndarray::NdArray;
use kiln::data::{BatchTargets, Batches, Dataset, Targets};
use kiln::model::{Initializer, LossConfig, Mlp, MlpConfig, weighted_mean};

type B = Autodiff<NdArray>;

const ROWS: usize = 64;
const ITERATIONS: usize = 60;

fn rows() -> Result<Dataset, kiln::data::DataError> {
    let x: Vec<f32> = (0..ROWS).map(|row| (row as f32 * 0.618).fract() * 4.0 - 2.0).collect();
    // Positive with probability sigmoid(2x): the classes overlap, so the best w is finite.
    let chance = |row: usize| (row as f32 * 0.754_878).fract();
    let class = |(row, x): (usize, &f32)| u32::from(chance(row) < 1.0 / (1.0 + (-2.0 * x).exp()));
    let indices = x.iter().enumerate().map(class).collect();
    Dataset::new(x, 1, Targets::Classes { indices, num_classes: 2 })
}

/// The loss over all rows as a function of w and b alone.
fn surface() -> anyhow::Result<impl Fn([f64; 2]) -> f64> {
    let (x, targets, _) = rows()?.into_parts();
    let Targets::Classes { indices, .. } = targets else { unreachable!("classes above") };
    Ok(move |[w, b]: [f64; 2]| {
        let rows = x.iter().zip(&indices).map(|(x, t)| (w * f64::from(*x) + b, f64::from(*t)));
        rows.map(|(z, t)| z.exp().ln_1p() - t * z).sum::<f64>() / x.len() as f64
    })
}

/// `[w, b]` before each iteration.
fn descend(batch_size: usize, learning_rate: f64) -> anyhow::Result<Vec<[f64; 2]>> {
    let device = Default::default();
    let batches = Batches::<B>::new(rows()?, batch_size, &device)?;
    let loss = LossConfig::default().init_binary::<B>(1, &device)?;
    let config = MlpConfig::new(1, 1).with_initializer(Initializer::Zeros);
    let mut model: Mlp<B> = config.init(&device)?;
    let mut sgd = SgdConfig::new().init::<B, Mlp<B>>();
    let mut path = Vec::new();
    for batch in (0..).flat_map(|epoch| batches.shuffled(0, epoch)).take(ITERATIONS) {
        let layer = model.layers().next().expect("the output layer");
        let bias = layer.bias.as_ref().expect("Kiln's layers have one").val();
        path.push([layer.weight.val().into_scalar(), bias.into_scalar()].map(f64::from));

        let BatchTargets::Classes(classes) = batch.targets else { unreachable!("classes above") };
        let logits = model.forward(batch.features); // forward pass
        let losses = loss.forward(logits, classes.float().unsqueeze_dim(1));
        let gradients = weighted_mean(losses, None).backward(); // backward pass
        let gradients = GradientsParams::from_grads(gradients, &model);
        model = sgd.step(learning_rate, model, gradients); // update
    }
    Ok(path)
}

/// Both pictures have the size of this square, in pixels.
const SIDE: f64 = 400.0;

/// A polyline through points whose coordinates are from 0 to 1, counted from the bottom left.
fn line(svg: &mut String, points: impl Iterator<Item = [f64; 2]>, color: &str) {
    let place = |[x, y]: [f64; 2]| {
        format!("{:.1},{:.1}", x.clamp(0.0, 1.0) * SIDE, (1.0 - y.clamp(0.0, 1.0)) * SIDE)
    };
    let points = points.map(place).collect::<Vec<_>>().join(" ");
    *svg += &format!("<polyline points='{points}' fill='none' stroke='{color}'/>\n");
}

fn text(svg: &mut String, [x, y]: [f64; 2], color: &str, text: &str) {
    *svg += &format!("<text x='{x}' y='{y}' fill='{color}'>{text}</text>\n");
}

fn main() -> anyhow::Result<()> {
    let file = std::env::args().nth(1).unwrap_or_else(|| "descent.svg".to_owned());
    let runs = [
        ("all rows, rate 24", descend(ROWS, 24.0)?, "#d22"),
        ("one row", descend(1, 0.5)?, "#dc7800"),
        ("8 rows", descend(8, 0.5)?, "#008c46"),
        ("all rows", descend(ROWS, 0.5)?, "#22d"),
    ];
    let loss_at = surface()?;

    // The loss from 0.3 to 0.9 nats against the iteration, and the way over w in [-1, 5], b in [-3, 3].
    let (mut curves, mut map) = (String::new(), String::new());
    let cell = SIDE / 40.0;
    for (row, column) in (0..40 * 40).map(|cell| (f64::from(cell / 40), f64::from(cell % 40))) {
        let loss = loss_at([column * 0.15 - 0.925, row * 0.15 - 2.925]);
        // Bands of equal loss, as on a map.
        let shade = 255 - ((loss - 0.4) * 15.0).clamp(0.0, 20.0) as u8 * 7;
        let (x, y) = (column * cell, SIDE - (row + 1.0) * cell);
        map += &format!(
            "<rect x='{x}' y='{y}' width='{cell}' height='{cell}' fill='rgb({shade},{shade},{shade})'/>\n"
        );
    }
    for (at, (name, path, color)) in runs.iter().enumerate() {
        let losses: Vec<f64> = path.iter().map(|at| loss_at(*at)).collect();
        println!("{name:<18} loss {:.4} -> {:.4}", losses[0], losses[ITERATIONS - 1]);
        let points = losses.iter().enumerate();
        let points = points.map(|(i, loss)| [i as f64 / ITERATIONS as f64, (loss - 0.3) / 0.6]);
        line(&mut curves, points, color);
        line(&mut map, path.iter().map(|[w, b]| [(w + 1.0) / 6.0, (b + 3.0) / 6.0]), color);
        text(&mut curves, [SIDE - 120.0, 20.0 + 18.0 * at as f64], color, name);
    }
    text(
        &mut curves,
        [0.0, -12.0],
        "black",
        "loss (0.3 to 0.9 nats per row) against iterations (0 to 60)",
    );
    text(
        &mut map,
        [0.0, -12.0],
        "black",
        "the path over the loss surface: w from -1 to 5, b from -3 to 3",
    );
    let frame = format!("<rect width='{SIDE}' height='{SIDE}' fill='none' stroke='#888'/>");
    let svg = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 900 460' font-family='sans-serif' \
         font-size='13'>\n<rect width='900' height='460' fill='white'/>\n\
         <g transform='translate(25 35)'>{frame}\n{curves}</g>\n\
         <g transform='translate(475 35)'>{map}{frame}</g>\n</svg>\n"
    );
    std::fs::write(&file, svg)?;
    println!("wrote {file}");
    Ok(())
}
