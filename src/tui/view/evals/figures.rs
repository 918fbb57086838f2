//! The suites, the items of a run with its main metrics, or every metric.

use super::{EvalsView, Page, Run, SEED};
use crate::engine::{EvalItem, MetricResult, metric_name};
use crate::figure::{Cell, Column, Figure};
use crate::tui::view::Scene;
use crate::tui::view::shown::{columns, count, optional, table, text, truth};

pub(super) fn of(view: &EvalsView, scene: &Scene<'_>) -> Vec<Figure> {
    match (view.page, &view.run) {
        (Page::Suites, _) => suites(view),
        (_, None) => Vec::new(),
        (Page::Items, Some(run)) => main(run, scene).into_iter().chain(items(view, run, scene)).collect(),
        (Page::Metrics, Some(run)) => {
            let results = run.found.iter().flat_map(|found| &found.results);
            metrics(run, results.collect(), scene)
        }
    }
}

fn suites(view: &EvalsView) -> Vec<Figure> {
    let all = view.suites.iter().flat_map(|suites| suites.iter());
    let rows = all.map(|suite| {
        vec![text(&suite.name), text(&suite.version), text(&suite.output_type), count(suite.items), text(&suite.about)]
    });
    let names = ["suite", "version", "asks", "items", "about"];
    let of_no_model = crate::figure::Provenance::default();
    table("Suites", "The suites in this lmscope.", of_no_model, (columns(&names), rows.collect()))
}

fn run_in_words(run: &Run) -> String {
    let standing = run.standing();
    let standing = if standing.is_empty() { String::new() } else { format!(" Not complete: {standing}.") };
    let asked = match run.work.limit {
        Some(limit) => format!("{limit} items of each task, drawn with seed {SEED}"),
        None => "all items".to_owned(),
    };
    format!("{}: {asked}, asked without interventions.{standing}", run.work.suite)
}

/// The main metrics; while there are none, the shares that are right so far.
fn main(run: &Run, scene: &Scene<'_>) -> Vec<Figure> {
    match &run.found {
        Some(found) => metrics(run, found.main().collect(), scene),
        None => Vec::new(),
    }
}

fn metrics(run: &Run, results: Vec<&MetricResult>, scene: &Scene<'_>) -> Vec<Figure> {
    let row = |result: &&MetricResult| {
        let (low, high) = result.interval.unzip();
        vec![
            text(metric_name(&result.metric, &result.filter)),
            text(result.stratum.as_deref().unwrap_or("all")),
            count(result.n),
            optional(result.value, 4),
            optional(low, 4),
            optional(high, 4),
            text(result.method.name()),
        ]
    };
    let names = ["metric", "items", "n", "value", "low", "high", "method"];
    let caption = format!("low and high are the ends of the 95 % interval. {}", run_in_words(run));
    let rows = results.iter().map(row).collect();
    table(format!("Metrics of {}", run.work.suite), caption, scene.of_model(), (columns(&names), rows))
}

fn items(view: &EvalsView, run: &Run, scene: &Scene<'_>) -> Vec<Figure> {
    let judges = run.judges();
    let verdicts = judges.iter().map(|judge| Column::new(judge, ""));
    let columns = [Column::new("item", "")].into_iter().chain(verdicts);
    let columns = columns.chain(["answer", "gold"].map(|name| Column::new(name, ""))).collect();
    let row = |item: &&EvalItem| {
        let verdict = |name: &&str| {
            let found = item.verdicts.iter().find(|(judge, _)| judge == name);
            found.map_or(Cell::Empty, |(_, is_right)| truth(*is_right))
        };
        let ends = [text(&item.answer), text(&item.gold)];
        std::iter::once(text(&item.id)).chain(judges.iter().map(verdict)).chain(ends).collect()
    };
    let caption = format!("{} items. {}", view.filter.title(), run_in_words(run));
    let rows = view.items().iter().map(row).collect();
    table(format!("Items of {}", run.work.suite), caption, scene.of_model(), (columns, rows))
}
