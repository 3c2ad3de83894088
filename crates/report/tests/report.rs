//! Charts and pages of all kinds of numbers and texts.

use kiln_report::{
    Axis, BarSeries, Bars, Block, CellFormat, Chart, Column, HistogramSeries, Histograms, Line,
    LineStyle, Lines, Mark, Matrix, Page, Panel, Parallel, ParallelAxis, ParallelLine,
    ParallelStyle, ParallelValues, Picture, Pictures, Plot, Scale, Section, Table,
};
use resvg::usvg::roxmltree::Document;

const HOSTILE: [&str; 9] = [
    "<script>alert(1)</script>",
    "\"quoted\" & 'single' &amp; &#0; ]]> <!-- -->",
    "",
    "   \n\r\n\t ",
    "שלום עולם مرحبا",
    "👩‍👩‍👧‍👦 🏳️‍🌈 emoji",
    "null \0 escape \u{1b}[31m bell \u{7} override \u{202e}gnp.exe\u{202c} end \u{ffff}",
    "Zalgo ẗ̸̡͈́ḧ̷͖e 漢字かな交じり文",
    "{{ template }} {% raw %} </style></title></svg>",
];

const NUMBERS: [f64; 14] = [
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::MAX,
    f64::MIN,
    f64::MIN_POSITIVE,
    5e-324,
    -0.0,
    0.0,
    1.0,
    -1.0,
    1e300,
    -1e300,
    1e-12,
];

fn axis(label: &str, range: Option<(f64, f64)>, scale: Scale) -> Axis {
    Axis { label: label.into(), range, scale }
}

const STYLES: [LineStyle; 4] =
    [LineStyle::Solid, LineStyle::Dashed, LineStyle::Reference, LineStyle::Points];

fn lines(names: &[&str], points: &[(f64, f64)], scale: Scale, range: Option<(f64, f64)>) -> Plot {
    let line = |(i, name): (usize, &&str)| Line {
        name: (*name).into(),
        points: points.to_vec(),
        style: STYLES[i % STYLES.len()],
    };
    let mark = |name: &&str| Mark { x: points.first().map_or(0.0, |p| p.0), label: (*name).into() };
    Plot::Lines(Lines {
        x: axis(names.first().unwrap_or(&""), range, Scale::Linear),
        y: axis(names.last().unwrap_or(&""), range, scale),
        lines: names.iter().enumerate().map(line).collect(),
        marks: names.iter().map(mark).collect(),
    })
}

fn matrix(names: &[&str], values: &[f64], format: CellFormat) -> Plot {
    let all: Vec<String> = names.iter().map(|&name| name.into()).collect();
    Plot::Matrix(Matrix {
        row_label: all.first().cloned().unwrap_or_default(),
        column_label: all.last().cloned().unwrap_or_default(),
        rows: all.clone(),
        columns: all,
        values: values.to_vec(),
        format,
    })
}

fn bars(names: &[&str], values: &[f64], series: usize) -> Plot {
    let series = (0..series).map(|i| BarSeries {
        name: names.get(i).copied().unwrap_or("").into(),
        values: values.to_vec(),
        spread: (i % 2 == 0).then(|| values.to_vec()),
    });
    Plot::Bars(Bars {
        label: names.first().copied().unwrap_or("").into(),
        names: names.iter().map(|&name| name.into()).collect(),
        series: series.collect(),
    })
}

fn histograms(names: &[&str], counts: &[f64], range: (f64, f64)) -> Plot {
    let series = |name: &&str| HistogramSeries { name: (*name).into(), counts: counts.to_vec() };
    let panel = |name: &&str| Panel {
        title: (*name).into(),
        series: names.iter().take(3).map(series).collect(),
    };
    let panels = names.iter().map(panel).collect();
    Plot::Histograms(Histograms {
        label: names.first().copied().unwrap_or("").into(),
        range,
        panels,
    })
}

fn pictures(names: &[&str], values: &[f64]) -> Plot {
    let pixels: Vec<f32> = values.iter().map(|value| *value as f32).collect();
    let picture = |name: &&str| Picture { title: (*name).into(), pixels: pixels.clone() };
    Plot::Pictures(Pictures { width: 3, pictures: names.iter().take(12).map(picture).collect() })
}

/// Each line has all values, rotated by one more.
fn parallel(names: &[&str], values: &[f64]) -> Plot {
    let all: Vec<String> = names.iter().map(|&name| name.into()).collect();
    let kinds = [
        ParallelValues::Numbers(Scale::Linear),
        ParallelValues::Numbers(Scale::Log),
        ParallelValues::Names(all.clone()),
    ];
    let styles = [ParallelStyle::Shade(0.5), ParallelStyle::Faint, ParallelStyle::Marked];
    let axis = |i: usize| ParallelAxis {
        label: names.get(i).copied().unwrap_or("").into(),
        values: kinds[i % kinds.len()].clone(),
    };
    let line = |(i, name): (usize, &&str)| ParallelLine {
        name: (*name).into(),
        values: values.iter().copied().cycle().skip(i).take(values.len()).collect(),
        style: styles[i % styles.len()],
    };
    Plot::Parallel(Parallel {
        axes: (0..values.len()).map(axis).collect(),
        lines: names.iter().enumerate().map(line).collect(),
    })
}

/// Every kind of chart with these names and values.
fn every_plot(names: &[&str], values: &[f64]) -> Vec<Plot> {
    let rising: Vec<_> = values.iter().enumerate().map(|(i, &y)| (i as f64, y)).collect();
    let both: Vec<_> = values.iter().flat_map(|&x| values.iter().map(move |&y| (x, y))).collect();
    let range = values.first().copied().zip(values.last().copied());
    vec![
        lines(names, &rising, Scale::Linear, None),
        lines(names, &rising, Scale::Log, None),
        lines(names, &both, Scale::Linear, None),
        lines(names, &both, Scale::Linear, Some((0.0, 1.0))),
        lines(names, &both, Scale::Log, range),
        pictures(names, values),
        parallel(names, values),
        matrix(names, values, CellFormat::Count),
        matrix(names, values, CellFormat::Percent),
        bars(names, values, 1),
        bars(names, values, 3),
        histograms(names, values, (0.0, 1.0)),
        histograms(names, values, range.unwrap_or((1.0, 1.0))),
    ]
}

fn chart(text: &str, plot: Plot) -> Chart {
    Chart { id: text.into(), title: text.into(), text: text.into(), plot }
}

fn page(charts: &[Chart]) -> Page {
    let texts = || HOSTILE.map(str::to_owned).into_iter();
    let column = |name: String| Column { numeric: name.len().is_multiple_of(2), name };
    let table = Table {
        caption: HOSTILE[0].into(),
        columns: texts().map(column).collect(),
        rows: (0..30).map(|i| texts().cycle().skip(i).take(i).collect()).collect(),
    };
    let mut blocks: Vec<_> = charts.iter().cloned().map(Block::Chart).collect();
    blocks.extend([Block::Table(table), Block::Text(HOSTILE[1].into())]);
    let section = |text: String| Section {
        id: text.clone(),
        title: text.clone(),
        text,
        blocks: blocks.clone(),
    };
    Page {
        title: HOSTILE[0].into(),
        subtitle: HOSTILE[1].into(),
        facts: texts().zip(texts()).collect(),
        warnings: texts().collect(),
        sections: texts().take(3).map(section).collect(),
    }
}

/// Asserts what holds for every chart's files.
fn check(chart: &Chart) {
    let svg = chart.svg();
    let document = Document::parse(&svg).unwrap_or_else(|error| panic!("{error}: {svg}"));
    let allowed =
        ["svg", "title", "desc", "style", "rect", "g", "path", "text", "circle", "clipPath"];
    for node in document.descendants().filter(|node| node.is_element()) {
        assert!(allowed.contains(&node.tag_name().name()), "{node:?}");
        for attribute in node.attributes() {
            let (name, value) = (attribute.name(), attribute.value());
            let geometry = ["d", "x", "y", "cx", "cy", "width", "height", "viewBox", "transform"];
            if geometry.contains(&name) {
                assert!(!value.contains("NaN") && !value.contains("inf"), "{name}={value}");
                for number in value.split(|c: char| !c.is_ascii_digit() && c != '.') {
                    let decimals = number.split_once('.').map_or(0, |(_, d)| d.len());
                    assert!(decimals <= 2 && number.len() < 10, "{name}={value}");
                }
            }
            assert!(!name.starts_with("on") && name != "href", "{name}={value}");
        }
    }
    let png = chart.png();
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"));
    let length =
        |name: &str| -> f32 { document.root_element().attribute(name).unwrap().parse().unwrap() };
    let image = resvg::tiny_skia::Pixmap::decode_png(&png).unwrap();
    let expected = (length("width") * 2.0, length("height") * 2.0);
    assert!((image.width() as f32 - expected.0).abs() <= 1.0, "{expected:?}");
    assert!((image.height() as f32 - expected.1).abs() <= 1.0, "{expected:?}");
    let first = image.pixel(0, 0).unwrap();
    assert_eq!([first.red(), first.green(), first.blue(), first.alpha()], [255; 4]);
    assert!(image.pixels().iter().any(|pixel| *pixel != first), "a blank image");
}

/// Asserts what holds for every page.
fn check_page(html: &str) {
    assert!(!html.contains("<script") && !html.contains("javascript:"));
    assert!(!html.contains("http:") && !html.contains("https:"));
    assert!(
        !html.contains("url(") || html.matches("url(").count() == html.matches("url(#").count()
    );
    assert!(!html.contains("@import") && !html.contains("src=") && !html.contains("<link rel=\"s"));
    assert_eq!(html.matches("<h1>").count(), 1);
    assert!(html.chars().all(|c| !c.is_control() || c == '\n'));
    let mut ids: Vec<_> = html.split(" id=\"").skip(1).map(|rest| rest.split('"').next()).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "an id is there twice");
    for link in html.split("href=\"#").skip(1).map(|rest| rest.split('"').next()) {
        assert!(ids.contains(&link), "{link:?}");
    }
}

fn check_all(names: &[&str], values: &[f64]) {
    let text = names.first().copied().unwrap_or("");
    let charts: Vec<_> = every_plot(names, values).into_iter().map(|p| chart(text, p)).collect();
    charts.iter().for_each(check);
    check_page(&page(&charts).html());
}

#[test]
fn ordinary_numbers_make_files_that_can_be_read() {
    check_all(&["one", "two", "three"], &[0.5, 0.25, 0.125, 3.0, 2.0, 1.0, 0.0, 8.0, 9.0]);
}

#[test]
fn nothing_one_value_and_equal_values_can_be_drawn() {
    check_all(&[], &[]);
    check_all(&["one", "two"], &[]);
    check_all(&[], &[1.0]);
    check_all(&["one"], &[1.0]);
    check_all(&["one"], &[0.0]);
    for value in NUMBERS {
        check_all(&["one", "two", "three"], &[value; 9]);
    }
}

#[test]
fn numbers_that_are_not_finite_or_enormous_are_left_out() {
    check_all(&["one", "two", "three"], &NUMBERS);
    check_all(&["one", "two"], &[1.0, f64::NAN, 2.0, 3.0, f64::INFINITY]);
    let nan = (f64::NAN, 0.0);
    let points = [(0.0, 1.0), (1.0, 2.0), nan, (2.0, 1.0), (3.0, 3.0)];
    let svg = chart("gap", lines(&["one"], &points, Scale::Linear, None)).svg();
    let path = svg.split("class=\"line s1\" d=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(path.matches('M').count(), 2, "{path}");
}

#[test]
fn hostile_texts_are_escaped_and_cut() {
    check_all(&HOSTILE, &[0.5, 0.25, 0.125, 3.0, 2.0, 1.0, 0.0, 8.0, 9.0]);
    let long = "<long> ".repeat(80);
    check_all(&[&long, &long[..500], "short"], &[1.0, 2.0, 3.0]);
    let mut rotated: Vec<_> = HOSTILE.to_vec();
    for _ in 0..HOSTILE.len() {
        rotated.rotate_left(1);
        check(&chart(rotated[0], bars(&rotated, &[1.0, 2.0], 1)));
    }
}

#[test]
fn the_whole_of_a_text_that_is_cut_is_in_its_tooltip() {
    let long = format!("start {} end", "x".repeat(500));
    let svg = chart("bars", bars(&[&long], &[1.0], 1)).svg();
    let document = Document::parse(&svg).unwrap();
    let tooltip = document.descendants().any(|node| {
        node.has_tag_name(("http://www.w3.org/2000/svg", "text"))
            && node.text().is_some_and(|text| text.contains('…'))
            || node.text() == Some(&long)
    });
    assert!(tooltip, "{svg}");
}

#[test]
fn the_largest_inputs_are_small_files() {
    let points: Vec<_> = (0..100_000).map(|i| (f64::from(i), (f64::from(i) * 0.7).sin())).collect();
    let names: Vec<_> = (0..200).map(|i| format!("class number {i} of many")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let values: Vec<_> = (0..40_000).map(|i| f64::from(i % 13) * f64::from(i % 2)).collect();

    let many = chart("lines", lines(&names[..10], &points, Scale::Linear, None));
    assert!(many.svg().len() < 400_000, "{}", many.svg().len());
    check(&many);
    for classes in [2, 3, 10, 20, 50, 200] {
        let matrix = matrix(&names[..classes], &values[..classes * classes], CellFormat::Count);
        check(&chart("matrix", matrix));
    }
    check(&chart("bars", bars(&names[..20], &values, 2)));
    check(&chart("histograms", histograms(&names[..12], &values, (0.0, 1.0))));
}

#[test]
fn cells_hold_their_numbers_while_there_is_room() {
    let names: Vec<_> = (0..50).map(|i| i.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for (classes, cells) in [(2, 4), (10, 100), (20, 400), (50, 0)] {
        let values = vec![123.0; classes * classes];
        let svg = chart("m", matrix(&names[..classes], &values, CellFormat::Count)).svg();
        assert_eq!(svg.matches(">123</text>").count(), cells, "{classes}");
        assert_eq!(svg.contains("100% of the row"), cells == 0, "{classes}");
    }
}

#[test]
fn the_same_input_is_the_same_file() {
    for plot in every_plot(&HOSTILE, &NUMBERS) {
        let chart = chart("same", plot);
        assert_eq!(chart.svg(), chart.clone().svg());
        assert_eq!(chart.png(), chart.clone().png());
        let page = page(&[chart]);
        assert_eq!(page.html(), page.clone().html());
    }
}

#[test]
fn charts_of_a_page_are_those_of_all_its_sections_in_order() {
    let charts = ["a", "b"].map(|id| chart(id, bars(&[], &[], 0)));
    let ids: Vec<_> = page(&charts).charts().map(|chart| chart.id.clone()).collect();
    assert_eq!(ids, ["a", "b", "a", "b", "a", "b"]);
}

#[test]
fn ids_that_are_asked_for_twice_are_on_the_page_once() {
    let charts = [0, 1].map(|_| chart("same", bars(&["a"], &[1.0], 1)));
    let html = page(&charts).html();
    check_page(&html);
    assert!(html.contains("id=\"same\"") && html.contains("id=\"same-2\""));
}

#[test]
fn an_empty_page_is_a_page() {
    let html = Page {
        title: String::new(),
        subtitle: String::new(),
        facts: Vec::new(),
        warnings: Vec::new(),
        sections: Vec::new(),
    }
    .html();
    check_page(&html);
    assert!(!html.contains("<nav") && !html.contains("<dl"));
}

#[test]
fn a_long_table_is_folded_and_each_row_has_every_column() {
    let column = |name: &str, numeric| Column { name: name.into(), numeric };
    let table = |rows: usize| {
        let rows = (0..rows).map(|i| vec![i.to_string(), "1".into(), "beyond".into()]).collect();
        let columns = vec![column("name", false), column("value", true)];
        Block::Table(Table { caption: "numbers".into(), columns, rows })
    };
    let html = |rows| {
        let mut page = page(&[]);
        page.sections.truncate(1);
        page.sections[0].blocks = vec![table(rows)];
        page.html()
    };
    let (short, long) = (html(20), html(21));
    assert!(!short.contains("<details") && long.contains("<summary>numbers (21 rows)</summary>"));
    assert!(short.contains("<caption id=\"table_caption\" dir=\"auto\">numbers</caption>"));
    assert_eq!(short.matches("scope=\"row\"").count(), 20);
    assert_eq!(short.matches("scope=\"col\"").count(), 2);
    assert_eq!(short.matches("<td class=\"number\">").count(), 20);
    assert!(!short.contains(">beyond<"));
}
