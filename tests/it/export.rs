//! Every exporter writes every kind of figure, or says why it cannot; what it writes is read back.

use std::fs;

use lmscope::export::{EXPORTERS, ExportError, Exporter, Markdown, Png, Safetensors, Svg, Undrawable};
use lmscope::figure::{
    Bar, Bars, Cell, Column, Content, Figure, Heatmap, HeatmapAxis, Line, Lines, Mark, Note, Part, Piece, Provenance,
    Scale, ShapeError, Strip, Table, Waterfall,
};

use crate::cli::runner::lmscope;
use crate::support::tensors;

/// What a stranger's file may bring into a title, a label or a cell.
const HOSTILE: &str = "<script>alert('&')</script>]]>\u{1b}[2J\0\u{202e}中";

fn figure(title: &str, content: Content) -> Figure {
    let provenance = Provenance {
        model: "tiny".into(),
        fingerprint: "0123456789abcdef".into(),
        precision: "F16 weights, f32 arithmetic (exact)".into(),
        prompt: Some(HOSTILE.into()),
        version: "9.9.9".into(),
        ..Provenance::default()
    };
    Figure { title: title.into(), caption: "What is shown. ".repeat(20), provenance, content }
}

fn heatmap(n_rows: usize, n_columns: usize, scale: Scale) -> Heatmap {
    let axis = |name: &str, n: usize| HeatmapAxis {
        name: name.into(),
        labels: (0..n).map(|index| format!("{index} ␣кот")).collect(),
    };
    let values = (0..n_rows * n_columns).map(|index| (index as f32 * 0.37).sin()).collect();
    Heatmap::new(axis("layer", n_rows), axis("position", n_columns), values, scale, "share").unwrap()
}

fn table(rows: Vec<Vec<Cell>>) -> Result<Content, ShapeError> {
    let columns = [("component", ""), ("rank", ""), ("difference", "logit")];
    Ok(Content::Table(Table::new(columns.map(|(name, unit)| Column::new(name, unit)).to_vec(), rows)?))
}

fn row(name: &str, rank: i64, value: f64) -> Vec<Cell> {
    vec![Cell::Text(name.into()), Cell::Integer(rank), Cell::number(value, 3)]
}

/// A figure of every kind, all of which can be drawn.
fn figures() -> Vec<Figure> {
    let scale = Scale::Diverging { mid: 0.0, reach: 1.0 };
    let texts = (0..12).map(|index| format!("t{index}")).collect();
    let bar = |label: &str, value, interval| Bar { label: label.into(), value, interval };
    let bars = vec![bar("forward", 0.9, Some((0.8, 0.97))), bar(HOSTILE, -0.2, None)];
    vec![
        figure("Grid", Content::Heatmap(heatmap(3, 4, Scale::Probability).with_cells(texts).unwrap())),
        figure("Numbers", Content::Heatmap(heatmap(2, 3, scale))),
        figure("Bars", Content::Bars(Bars { bars, scale, unit: "accuracy".into() })),
        figure("Ranking", table(vec![row("L3.attn", 1, 1.5), row("L2.mlp", 2, -0.5)]).unwrap()),
    ]
}

/// The kinds that the others are not.
fn more_figures() -> Vec<Figure> {
    let mark = |x: f64| Mark { x, y: x * x, band: (x > 0.0).then_some((x * x - 0.1, x * x + 0.1)) };
    let line =
        |name: &str, n: u32| Line { name: name.into(), marks: (0..n).map(|at| mark(f64::from(at) / 4.0)).collect() };
    let (x, y) = (Column::new("coverage", ""), Column::new("risk", "share"));
    let piece = |text: &str, value| {
        let notes = vec![Note { name: "␣mat".into(), value: 0.97 }, Note { name: HOSTILE.into(), value: 0.01 }];
        Piece { text: text.into(), value, notes }
    };
    let pieces = vec![piece("The", None), piece("␣кот", Some(3.5)), piece(HOSTILE, Some(11.25))];
    let scale = Scale::Sequential { low: 0.0, high: 16.0 };
    let part = |name: &str, value| Part { name: name.into(), value };
    let parts = vec![part("L2.mlp", 3.25), part(HOSTILE, -1.5), part("embed", 0.5)];
    vec![
        figure("Curves", Content::Lines(Lines { x, y, lines: vec![line("answers", 5), line(HOSTILE, 2)] })),
        figure("Text", Content::Strip(Strip { pieces, scale, unit: "bits".into(), note_unit: "probability".into() })),
        figure("Parts", Content::Waterfall(Waterfall::new(parts, 2.5, "logit"))),
    ]
}

fn write(exporter: &dyn Exporter, figures: &[Figure]) -> Result<Vec<u8>, ExportError> {
    let mut bytes = Vec::new();
    exporter.write(figures, &mut bytes).map(|()| bytes)
}

fn svg(figure: &Figure) -> String {
    String::from_utf8(write(&Svg, std::slice::from_ref(figure)).unwrap()).unwrap()
}

/// All texts of an SVG, which must be well-formed.
fn texts(svg: &str) -> Vec<String> {
    let document = roxmltree::Document::parse(svg).unwrap();
    let texts = document.descendants().filter(|node| node.has_tag_name("text"));
    texts.map(|node| node.text().unwrap_or_default().trim().to_owned()).collect()
}

/// How many rectangles of the most frequent size there are: the cells.
fn n_cells(svg: &str) -> usize {
    let document = roxmltree::Document::parse(svg).unwrap();
    let mut counts = std::collections::HashMap::new();
    for node in document.descendants().filter(|node| node.has_tag_name("rect")) {
        if node.attribute("width") != Some("14") {
            *counts.entry((node.attribute("width"), node.attribute("height"))).or_insert(0) += 1;
        }
    }
    counts.into_values().max().unwrap_or(0)
}

#[test]
fn every_exporter_writes_every_kind_of_figure_the_same_twice() {
    for exporter in EXPORTERS {
        for figure in figures().into_iter().chain(more_figures()) {
            let once = write(*exporter, std::slice::from_ref(&figure)).unwrap();
            let twice = write(*exporter, &[figure]).unwrap();
            assert!(!once.is_empty() && once == twice, "{}", exporter.name());
        }
    }
}

#[test]
fn what_cannot_be_drawn_is_told() {
    let number = |value| vec![Cell::Text("same".into()), Cell::Empty, value];
    let cases = [
        (table(vec![]).unwrap(), Undrawable::NotARanking),
        (table(vec![number(Cell::number(1.0, 1)), number(Cell::Empty)]).unwrap(), Undrawable::NotARanking),
        (table(vec![number(Cell::number(1.0, 1)); 2]).unwrap(), Undrawable::NotARanking),
        (Content::Heatmap(heatmap(0, 4, Scale::Probability)), Undrawable::Empty),
        (
            Content::Heatmap(heatmap(600, 600, Scale::Probability)),
            Undrawable::TooLarge { found: 360_000, limit: 250_000 },
        ),
    ];
    for (content, expected) in cases {
        let figure = figure("Title", content);
        for exporter in [&Svg as &dyn Exporter, &Png] {
            let error = write(exporter, std::slice::from_ref(&figure)).unwrap_err();
            assert!(error.hint().is_some());
            let ExportError::Undrawable { title, reason } = error else { panic!("{error}") };
            assert_eq!((title.as_str(), reason), ("Title", expected.clone()));
        }
    }
    assert!(matches!(write(&Svg, &figures()), Err(ExportError::NotOneFigure { found: 4, .. })));
}

#[test]
fn an_svg_has_its_title_labels_cells_and_font() {
    let found = svg(&figures()[0]);
    let shown = texts(&found);
    for expected in ["Grid", "layer", "position", "share", "2 ␣кот", "3 ␣кот", "t0", "t11", "1"] {
        assert!(shown.iter().any(|text| text == expected), "{expected}: {shown:?}");
    }
    let all = shown.join(" ");
    assert!(all.contains("model tiny 0123456789abcdef") && all.contains("lmscope 9.9.9"), "{all}");
    assert_eq!(n_cells(&found), 12);
    assert!(found.contains("@font-face") && found.matches("http").count() == 1, "only the name of the format");
    assert!(texts(&svg(&figures()[3])).iter().any(|text| text == "difference (logit)"));
}

#[test]
fn text_of_a_stranger_is_inert() {
    for figure in figures().into_iter().chain(more_figures()) {
        let found = svg(&figure);
        let document = roxmltree::Document::parse(&found).unwrap();
        assert!(!document.descendants().any(|node| node.has_tag_name("script")));
        assert!(!found.contains(['\u{1b}', '\0', '\u{202e}']), "{}", figure.title);
    }
    let all = texts(&svg(&figures()[0])).join(" ");
    assert!(all.contains("]]>⟨001B⟩[2J⟨0000⟩⟨202E⟩⟨4E2D⟩"), "{all}");
}

#[test]
fn labels_of_a_large_grid_do_not_overlap() {
    for (n_rows, n_columns) in [(30, 128), (4, 2000), (200, 200), (32, 12)] {
        let found = svg(&figure("Grid", Content::Heatmap(heatmap(n_rows, n_columns, Scale::Probability))));
        assert_eq!(n_cells(&found), n_rows * n_columns);
        let document = roxmltree::Document::parse(&found).unwrap();
        let place = |node: &roxmltree::Node, name: &str| node.attribute(name).unwrap().parse::<i32>().unwrap();
        let labels = document.descendants().filter(|node| node.text().is_some_and(|text| text.contains("кот")));
        let upright = labels.filter(|node| node.has_tag_name("text") && node.attribute("transform").is_some());
        let upright: Vec<i32> = upright.map(|node| place(&node, "x")).collect();
        assert!(upright.windows(2).all(|pair| pair[1] - pair[0] >= 12), "{n_rows} x {n_columns}");
        assert!(n_columns < 50 || upright.len() > 20, "{n_columns} columns, {} labels", upright.len());
    }
}

#[test]
fn a_png_has_twice_the_size_of_its_svg() {
    for figure in figures().into_iter().chain(more_figures()) {
        let bytes = write(&Png, std::slice::from_ref(&figure)).unwrap();
        let reader = png::Decoder::new(std::io::Cursor::new(&bytes)).read_info().unwrap();
        let (width, height) = reader.info().size();
        let svg = svg(&figure);
        let document = roxmltree::Document::parse(&svg).unwrap();
        let size = |name| document.root_element().attribute(name).unwrap().parse::<u32>().unwrap();
        assert_eq!((width, height), (2 * size("width"), 2 * size("height")));
    }
}

#[test]
fn safetensors_hold_the_figures_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("figures.safetensors");
    let figures = figures();
    fs::write(&file, write(&Safetensors, &figures).unwrap()).unwrap();
    let tensors = tensors(&file);
    let Content::Heatmap(grid) = &figures[0].content else { panic!() };
    assert_eq!(tensors["figure1.values"].to_vec2::<f32>().unwrap().concat(), grid.values());
    assert_eq!(tensors["figure1.values"].dims(), [3, 4]);
    let column = |name: &str| tensors[name].to_vec1::<f64>().unwrap();
    assert_eq!(column("figure3.values"), [0.9, -0.2]);
    assert!((column("figure3.low")[0] - 0.8).abs() < 1e-12);
    assert!(column("figure3.high")[1].is_nan());
    assert_eq!(column("figure4.difference"), [1.5, -0.5]);
    assert_eq!(column("figure4.rank"), [1.0, 2.0]);
    assert_eq!(tensors.len(), 7);
    let bytes = fs::read(&file).unwrap();
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let about = header.metadata().as_ref().unwrap();
    let told: serde_json::Value = serde_json::from_str(&about["figure1"]).unwrap();
    assert_eq!((told["title"].as_str(), told["provenance"]["model"].as_str()), (Some("Grid"), Some("tiny")));
    assert_eq!(told["content"]["rows"]["labels"][2], "2 ␣кот");
    assert_eq!(told["content"]["cells"][2][3], "t11");
    let told: serde_json::Value = serde_json::from_str(&about["figure4"]).unwrap();
    assert_eq!(told["content"]["columns"][0]["texts"][1], "L2.mlp");
    assert_eq!(told["content"]["columns"][2]["tensor"], "figure4.difference");
}

#[test]
fn the_command_line_draws_and_writes() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let prompt = "The cat sat on a";
    let commands = [
        (vec!["lens", "logit-lens", prompt], "Logit lens"),
        (vec!["lens", "attention", prompt, "--head", "L2H0"], "Attention of layer 2, head 0"),
        (vec!["patch", prompt, "The dog sat on a"], "Activation patching of resid_pre, denoise"),
        (vec!["diff", prompt, "The dog sat on a", "--figure", "3"], "Where the layers part"),
    ];
    for (command, title) in commands {
        let (svg, numbers) = (at("a.svg"), at("a.safetensors"));
        let options = ["--svg", &svg, "--format", "safetensors", "-o", &numbers];
        assert_eq!(lmscope(&[&command[..], &options].concat()).ok(), "");
        let shown = texts(&fs::read_to_string(&svg).unwrap());
        assert!(shown.iter().any(|text| text == title), "{shown:?}");
        assert!(tensors(numbers.as_ref()).keys().any(|name| name.starts_with("figure1.")));
    }
    let png = at("a.png");
    let draw = || lmscope(&["lens", "dla", prompt, "--png", &png, "--figure", "2"]).ok();
    assert!(draw().contains("Direct logit attribution"));
    let once = fs::read(&png).unwrap();
    assert!(once.starts_with(b"\x89PNG"));
    draw();
    assert!(once == fs::read(&png).unwrap(), "another process, other bytes");
}

#[test]
fn bad_places_and_figures_are_told_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().to_str().unwrap();
    let lens = |more: &[&str]| lmscope(&[&["lens", "dla", "The cat"], more].concat()).refused();
    assert!(lens(&["--png", &format!("{folder}/no/a.png")]).contains("there is no folder"));
    assert!(lens(&["--svg", folder]).contains("it is a folder"));
    assert!(lens(&["--format", "safetensors"]).contains("--output <FILE>"));
    let file = format!("{folder}/a.svg");
    let refused = lens(&["--svg", &file, "--figure", "99"]);
    assert!(refused.contains("there is no figure 99: 1 is `Direct logit attribution`, 2 is"), "{refused}");
    assert_eq!(fs::read_dir(folder).unwrap().count(), 0);
}

/// The cells of a line of a Markdown table, as a reader of Markdown takes them.
fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut escape) = (vec![String::new()], false);
    for c in line.chars() {
        let cell = cells.last_mut().unwrap();
        match c {
            '\\' if !escape => {
                escape = true;
                continue;
            }
            '|' if !escape => cells.push(String::new()),
            c => cell.push(c),
        }
        escape = false;
    }
    cells[1..cells.len() - 1].iter().map(|cell| cell.trim().to_owned()).collect()
}

#[test]
fn a_markdown_table_has_every_number_and_no_markup_of_a_stranger() {
    let text = String::from_utf8(write(&Markdown, &figures()).unwrap()).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
    // headings and rules, and 3 + 2 + 2 + 2 rows
    assert_eq!(lines.len(), 4 * 2 + 9);
    assert_eq!(cells(lines[0]), ["layer (share)", "0 ␣кот", "1 ␣кот", "2 ␣кот", "3 ␣кот"]);
    assert_eq!(cells(lines[2])[2], "t1 0.362");
    let forward = lines.iter().position(|line| line.contains("forward")).unwrap();
    assert_eq!(cells(lines[forward]), ["forward", "0.9000", "0.8000 to 0.9700"]);
    assert!(cells(lines[forward + 1])[0].starts_with("<script>alert('&')</script>]]>"));
    assert_eq!(cells(lines[lines.len() - 1]), ["L2.mlp", "2", "-0.500"]);
    assert!(!text.contains("<script>") && !text.contains(['\u{1b}', '\0', '\u{202e}']), "{text}");
    assert!(text.contains("Model tiny (0123456789abcdef), F16 weights, f32 arithmetic (exact)"), "{text}");
}

#[test]
fn curves_tokens_and_parts_are_in_the_picture_and_in_the_numbers() {
    let all: Vec<Vec<String>> = more_figures().iter().map(|figure| texts(&svg(figure))).collect();
    for (shown, expected) in all.iter().zip([["answers", "coverage"], ["␣кот", "3.5"], ["remainder", "+0.25"]]) {
        for text in expected {
            assert!(shown.iter().any(|one| one == text), "{text}: {shown:?}");
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("figures.safetensors");
    fs::write(&file, write(&Safetensors, &more_figures()).unwrap()).unwrap();
    let tensors = tensors(&file);
    let column = |name: &str| tensors[name].to_vec1::<f64>().unwrap();
    assert_eq!(column("figure1.line"), [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
    assert!((column("figure1.y")[2] - 0.25).abs() < 1e-12);
    assert!(column("figure1.low")[0].is_nan());
    assert!(column("figure2.values")[0].is_nan() && column("figure2.values")[1..] == [3.5, 11.25]);
    assert_eq!((column("figure3.remainder"), column("figure3.total")), (vec![0.25], vec![2.5]));
}

#[test]
fn two_thousand_tokens_and_their_curve_have_no_labels_that_overlap() {
    let pieces =
        (0..2000).map(|at| Piece { text: format!("token{at}"), value: Some(f64::from(at % 17)), notes: vec![] });
    let scale = Scale::Sequential { low: 0.0, high: 16.0 };
    let strip = Strip { pieces: pieces.collect(), scale, unit: "bits".into(), note_unit: String::new() };
    let found = svg(&figure("Text", Content::Strip(strip)));
    let document = roxmltree::Document::parse(&found).unwrap();
    let number = |node: &roxmltree::Node<'_, '_>, name: &str| node.attribute(name).unwrap().parse::<f64>().unwrap();
    let is_label = |node: &roxmltree::Node<'_, '_>| node.text().is_some_and(|text| text.trim().starts_with("token"));
    let labels = document.descendants().filter(|node| node.has_tag_name("text") && is_label(node));
    let mut places: Vec<(f64, f64, f64)> = labels
        .map(|node| (number(&node, "y"), number(&node, "x"), 0.602 * 12.0 * node.text().unwrap().trim().len() as f64))
        .collect();
    places.sort_by(|a, b| a.partial_cmp(b).unwrap());
    assert_eq!(places.len(), 2000);
    // each text is in the middle of its own width
    assert!(places.windows(2).all(
        |pair| (pair[0].0 - pair[1].0).abs() > 1.0 || pair[1].1 - pair[0].1 >= f64::midpoint(pair[0].2, pair[1].2)
    ));
    let marks = (0..2000).map(|at| Mark { x: f64::from(at), y: f64::from(at % 7), band: None }).collect();
    let lines = vec![Line { name: "surprisal".into(), marks }];
    let (x, y) = (Column::new("position", ""), Column::new("surprisal", "bits"));
    assert!(svg(&figure("Curve", Content::Lines(Lines { x, y, lines }))).len() < 400_000);
}

/// The same with values that every processor computes alike.
fn in_sixteenths(figure: Figure) -> Figure {
    let Content::Heatmap(map) = &figure.content else { return figure };
    let values = (0..map.values().len()).map(|at| at as f32 / 16.0).collect();
    let grid = Heatmap::new(map.rows().clone(), map.columns().clone(), values, map.scale(), map.unit()).unwrap();
    let cells = map.cell(0, 0).map(|_| (0..map.values().len()).map(|at| format!("t{at}")).collect());
    let grid = match cells {
        Some(cells) => grid.with_cells(cells).unwrap(),
        None => grid,
    };
    Figure { content: Content::Heatmap(grid), ..figure }
}

#[test]
fn every_text_format_writes_every_kind_exactly_so() {
    let all: Vec<Figure> = figures().into_iter().chain(more_figures()).map(in_sixteenths).collect();
    for exporter in EXPORTERS.iter().filter(|exporter| exporter.is_text() && exporter.name() != "svg") {
        let written = String::from_utf8(write(*exporter, &all).unwrap()).unwrap();
        insta::assert_snapshot!(format!("figures_{}", exporter.name()), written);
    }
}
