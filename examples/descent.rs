//! Gradient descent seen: a model of two parameters, its loss surface, and four ways down.
//!
//! One feature, one binary target: p = sigmoid(w·x + b). All rows at once, one row, a mini-batch of
//! eight, and all rows with too large a learning rate. Writes `descent.svg`, or the file named.

use burn::backend::Autodiff;
use burn::optim::{GradientsParams, Optimizer, SgdConfig};
use burn_ndarray::NdArray;
use kiln::data::{BatchTargets, Batches, Dataset, Targets};
use kiln::model::{Initializer, LossConfig, Mlp, MlpConfig, weighted_mean};
use plotters::prelude::*;

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

fn main() -> anyhow::Result<()> {
    let file = std::env::args().nth(1).unwrap_or_else(|| "descent.svg".to_owned());
    let runs = [
        ("all rows, rate 24", descend(ROWS, 24.0)?, RED),
        ("one row", descend(1, 0.5)?, RGBColor(220, 120, 0)),
        ("8 rows", descend(8, 0.5)?, RGBColor(0, 140, 70)),
        ("all rows", descend(ROWS, 0.5)?, BLUE),
    ];
    let root = SVGBackend::new(&file, (1000, 460)).into_drawing_area();
    root.fill(&WHITE)?;
    let (left, right) = root.split_horizontally(500);
    let chart = |area, title| {
        let mut chart = ChartBuilder::on(area);
        chart.caption(title, ("sans-serif", 18)).margin(12).set_left_and_bottom_label_area_size(36);
        chart
    };
    let mut curves = chart(&left, "loss against iterations")
        .build_cartesian_2d(0.0..ITERATIONS as f64, 0.3..0.9)?;
    curves.configure_mesh().x_desc("iteration").y_desc("nats per row").max_light_lines(0).draw()?;
    let mut map =
        chart(&right, "the path over the loss surface").build_cartesian_2d(-1.0..5.0, -3.0..3.0)?;
    map.configure_mesh().x_desc("w").y_desc("b").disable_mesh().draw()?;
    let loss_at = surface()?;
    map.draw_series((0..40 * 40).map(|cell| {
        let (w, b) = (f64::from(cell % 40) * 0.15 - 1.0, f64::from(cell / 40) * 0.15 - 3.0);
        // Bands of equal loss, as on a map.
        let shade =
            255 - ((loss_at([w + 0.075, b + 0.075]) - 0.4) * 15.0).clamp(0.0, 20.0) as u8 * 7;
        Rectangle::new([(w, b), (w + 0.15, b + 0.15)], RGBColor(shade, shade, shade).filled())
    }))?;
    for (name, path, color) in runs {
        let losses: Vec<f64> = path.iter().map(|at| loss_at(*at)).collect();
        println!("{name:<18} loss {:.4} -> {:.4}", losses[0], losses[ITERATIONS - 1]);
        let points = losses.iter().enumerate().map(|(i, loss)| (i as f64, loss.min(0.9)));
        curves
            .draw_series(LineSeries::new(points, color))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color));
        let points = path.iter().map(|[w, b]| (w.clamp(-1.0, 5.0), b.clamp(-3.0, 3.0)));
        map.draw_series(LineSeries::new(points, color))?;
    }
    curves.configure_series_labels().background_style(WHITE).border_style(BLACK).draw()?;
    root.present()?;
    println!("wrote {file}");
    Ok(())
}
