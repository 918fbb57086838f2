//! Facts, laws, or the tensors that are listed, with the numbers of one of them.

use super::{ModelView, Page, number};
use crate::engine::{Law, sections};
use crate::figure::{Bar, Bars, Cell, Content, Figure, Scale};
use crate::model::checkpoint::survey::Survey;
use crate::tui::view::Scene;
use crate::tui::view::shown::{columns, table, text};

pub(super) fn of(view: &ModelView, scene: &Scene<'_>) -> Vec<Figure> {
    if view.problem.is_some() {
        return Vec::new();
    }
    match view.page {
        Page::Facts => facts(view, scene),
        Page::Laws => laws(scene),
        Page::Tensors => {
            let survey = view.survey.iter().flat_map(|survey| surveyed(survey, scene));
            survey.chain(tensors(view, scene)).collect()
        }
    }
}

fn facts(view: &ModelView, scene: &Scene<'_>) -> Vec<Figure> {
    let all = view.described.iter().flat_map(|described| sections(&described.description));
    let rows = all.flat_map(|(section, facts)| {
        facts.into_iter().map(move |(name, value)| vec![text(section), text(name.trim()), text(value)])
    });
    let caption = "What the model's files say of it.";
    table("Facts about the model", caption, scene.of_model(), (columns(&["section", "name", "value"]), rows.collect()))
}

fn laws(scene: &Scene<'_>) -> Vec<Figure> {
    let row = |law: &Law| {
        vec![
            text(law.name),
            text(&law.verdict),
            law.deviation.map_or(Cell::Empty, Cell::Scientific),
            text(&law.tolerance),
            text(law.about),
            law.remark.as_ref().map_or(Cell::Empty, text),
        ]
    };
    let rows = scene.verified.iter().flat_map(|verified| &verified.laws).map(row).collect();
    let names = ["law", "verdict", "found", "allowed", "about", "remark"];
    let caption =
        "The laws that every decoder obeys, measured on this model: the largest deviation, and what is allowed.";
    table("Laws", caption, scene.of_model(), (columns(&names), rows))
}

fn tensors(view: &ModelView, scene: &Scene<'_>) -> Vec<Figure> {
    let whole = |n: u64| Cell::Integer(i64::try_from(n).unwrap_or(i64::MAX));
    let listed = view.tensors();
    let rows = listed.iter().map(|tensor| {
        let shape: Vec<String> = tensor.shape.iter().map(ToString::to_string).collect();
        vec![
            text(&tensor.name),
            text(shape.join(" x ")),
            text(&tensor.dtype),
            whole(tensor.n_params),
            whole(tensor.n_bytes),
        ]
    });
    let names = ["tensor", "shape", "type", "parameters", "bytes"];
    let filter = view.filter();
    let filter = if filter.is_empty() { String::new() } else { format!(" whose names have “{filter}”") };
    let caption = format!("The tensors in the model's files{filter}.");
    table("Tensors", caption, scene.of_model(), (columns(&names), rows.collect()))
}

/// The histogram of a tensor, and its moments and quantiles.
fn surveyed(survey: &Survey, scene: &Scene<'_>) -> Vec<Figure> {
    let title = format!("Numbers of {}", survey.name);
    let quantile = |&(share, value): &(f64, f64)| (format!("quantile {share}"), Cell::Scientific(value));
    let exact = |n: u64| Cell::Integer(i64::try_from(n).unwrap_or(i64::MAX));
    let told = [
        ("numbers", exact(survey.n)),
        ("zero", exact(survey.n_zero)),
        ("not finite", exact(survey.n_not_finite)),
        ("mean", Cell::Scientific(survey.mean)),
        ("std", Cell::Scientific(survey.std)),
        ("min", Cell::Scientific(survey.min)),
        ("max", Cell::Scientific(survey.max)),
    ];
    let told = told.into_iter().map(|(name, cell)| (name.to_owned(), cell));
    let rows = told.chain(survey.quantiles.iter().map(quantile)).map(|(name, cell)| vec![text(name), cell]).collect();
    let caption = format!("Moments and quantiles; a quantile is known to {}.", number(survey.resolution));
    let moments = table(title.clone(), caption, scene.of_model(), (columns(&["what", "value"]), rows));
    let histogram = Figure {
        title: format!("{title}: histogram"),
        caption: format!("How many of {} finite numbers lie from each value on, in bins of one width.", survey.n),
        provenance: scene.of_model(),
        content: Content::Bars(histogram(survey)),
    };
    std::iter::once(histogram).chain(moments).collect()
}

fn histogram(survey: &Survey) -> Bars {
    let width = (survey.max - survey.min) / survey.histogram.len().max(1) as f64;
    let bar = |(at, &n): (usize, &u64)| Bar {
        label: number(survey.min + at as f64 * width),
        value: n as f64,
        interval: None,
    };
    let most = survey.histogram.iter().copied().max().unwrap_or(0) as f32;
    Bars {
        bars: survey.histogram.iter().enumerate().map(bar).collect(),
        scale: Scale::Sequential { low: 0.0, high: most },
        unit: "numbers".into(),
    }
}
