//! How far a signal may be believed, and what is wrong among the answers that are kept by it: the curves behind the
//! metrics that [`Aggregation::Ece`] and [`Aggregation::Aurc`] count, drawn and as tables.

use super::record::{Record, TaskInfo};
use super::stats::{Bin, Kept, Ranked};
use super::tables::figure;
use super::task::{Aggregation, MetricSpec};
use crate::figure::{Cell, Column, Content, Figure, Line, Lines, Mark, ShapeError};

/// The shares of answers at which risk is told.
const COVERAGES: [f64; 10] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];

/// A curve and its table for each metric of a record that has one; nothing of metrics without answers.
///
/// # Errors
/// If a row does not fit the columns, which would be a mistake here.
pub fn curves(record: &Record) -> Result<Vec<Figure>, ShapeError> {
    let metrics = record.run.tasks.iter().flat_map(|task| task.metrics.iter().map(move |metric| (task, metric)));
    let mut figures = Vec::new();
    for (task, metric) in metrics {
        let curve = match metric.aggregation {
            Aggregation::Ece => reliability,
            Aggregation::Aurc => risk,
            _ => continue,
        };
        if let Some(ranked) = ranked(record, task, metric) {
            figures.extend(curve(record, task, metric, &ranked)?);
        }
    }
    Ok(figures)
}

fn ranked(record: &Record, task: &TaskInfo, metric: &MetricSpec) -> Option<Ranked> {
    let observations = record.items_of(&task.name).flat_map(|item| &item.graded.observations);
    let of = observations.filter(|one| one.metric == metric.metric && one.filter == metric.filter);
    Ranked::of(of.filter_map(|one| one.value.judged()))
}

fn reliability(
    record: &Record,
    task: &TaskInfo,
    metric: &MetricSpec,
    ranked: &Ranked,
) -> Result<[Figure; 2], ShapeError> {
    let columns = ["answers with", "right", "95 % interval", "mean signal", "answers"];
    let row = |bin: &Bin| {
        vec![
            Cell::Text(format!("signal about {:.3}", bin.signal)),
            Cell::number(bin.right, 4),
            interval(bin.interval),
            Cell::number(bin.signal, 4),
            count(bin.n),
        ]
    };
    let caption = format!(
        "Answers in bins of as many each, the smallest signals first; a signal that may be believed is the share of right \
         answers. Expected calibration error {:.4}. Intervals: 95 %, Wilson.",
        ranked.ece()
    );
    let title = format!("Reliability: {} {}", task.name, metric.metric);
    let table = figure(&record.run, &title, caption, &columns, ranked.bins().iter().map(row).collect())?;
    let mark = |bin: &Bin| Mark { x: bin.signal, y: bin.right, band: Some(bin.interval) };
    let marks: Vec<Mark> = ranked.bins().iter().map(mark).collect();
    let ends = [0.0, 1.0].map(|x| Mark { x, y: x, band: None }).to_vec();
    let lines = vec![line("answers", marks), line("as sure as right", ends)];
    Ok([drawn(&table, ("mean signal", "right"), lines), table])
}

fn risk(record: &Record, task: &TaskInfo, metric: &MetricSpec, ranked: &Ranked) -> Result<[Figure; 2], ShapeError> {
    let columns = ["kept", "wrong", "95 % interval", "coverage", "answers"];
    let row = |(kept, share): (&Kept, &f64)| {
        vec![
            Cell::Text(format!("{:.0} %", 100.0 * share)),
            Cell::number(kept.risk, 4),
            interval(kept.interval),
            Cell::number(kept.coverage, 4),
            count(kept.n),
        ]
    };
    let caption = format!(
        "The share of wrong ones among the answers with the largest signals. Area under the curve {:.4}. Intervals: 95 %, \
         Wilson.",
        ranked.aurc()
    );
    let title = format!("Risk and coverage: {} {}", task.name, metric.metric);
    let rows = ranked.kept(&COVERAGES).iter().zip(&COVERAGES).map(row).collect();
    let table = figure(&record.run, &title, caption, &columns, rows)?;
    let mark = |kept: &Kept| Mark { x: kept.coverage, y: kept.risk, band: Some(kept.interval) };
    let marks = ranked.kept(&COVERAGES).iter().map(mark).collect();
    Ok([drawn(&table, ("coverage", "wrong"), vec![line("the surest answers", marks)]), table])
}

fn line(name: &str, marks: Vec<Mark>) -> Line {
    Line { name: name.into(), marks }
}

/// Lines that say of themselves what a table says.
fn drawn(table: &Figure, (x, y): (&str, &str), lines: Vec<Line>) -> Figure {
    let content = Content::Lines(Lines { x: Column::new(x, ""), y: Column::new(y, "share"), lines });
    Figure { title: format!("{} (curve)", table.title), content, ..table.clone() }
}

fn interval((low, high): (f64, f64)) -> Cell {
    Cell::Text(format!("{low:.4} to {high:.4}"))
}

fn count(n: usize) -> Cell {
    Cell::Integer(i64::try_from(n).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::record::{Run, sample};
    use crate::eval::task::{Better, Graded, Observation, Observed, TaskItemRecord};

    fn record(answers: &[(f64, bool)]) -> Record {
        let specs = [("ece", Aggregation::Ece), ("aurc", Aggregation::Aurc), ("acc", Aggregation::Mean)];
        let metrics = specs.iter().map(|(name, how)| MetricSpec::new(*name, *how, Better::Lower)).collect();
        let task = TaskInfo { metrics, ..sample::run().tasks[0].clone() };
        let item = |(at, (signal, is_right)): (usize, &(f64, bool))| {
            let judged = Observed::Judged { signal: *signal, is_right: *is_right };
            let observations = ["ece", "aurc"].map(|name| Observation::new(name, judged.clone())).to_vec();
            let graded = Graded { observations, ..Graded::default() };
            TaskItemRecord { graded, ..sample::item(at, true) }
        };
        let items = answers.iter().enumerate().map(item).collect();
        Record { run: Run { tasks: vec![task], ..sample::run() }, items }
    }

    #[test]
    fn curves_hold_the_numbers_of_the_answers() {
        // right: .9 .6 .5; wrong: .7 .5
        let figures = curves(&record(&[(0.9, true), (0.7, false), (0.6, true), (0.5, true), (0.5, false)])).unwrap();
        let [bins, reliability, kept, risk] = &figures[..] else { panic!("{figures:?}") };
        let Content::Table(table) = &reliability.content else { panic!() };
        let row: Vec<String> = table.rows()[0].iter().map(Cell::display).collect();
        assert_eq!([&row[0], &row[1], &row[3], &row[4]], ["signal about 0.640", "0.6000", "0.6400", "5"]);
        assert!(reliability.caption.contains("0.0400"));
        let Content::Table(table) = &risk.content else { panic!() };
        let wrong: Vec<String> = table.rows().iter().map(|row| row[1].display()).collect();
        assert_eq!([&wrong[0], &wrong[3], &wrong[5], &wrong[9]], ["0.0000", "0.5000", "0.3333", "0.4000"]);
        assert_eq!(table.rows().len(), 10);
        let marks = |figure: &Figure| match &figure.content {
            Content::Lines(lines) => lines.lines.iter().map(|line| line.marks.clone()).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        let bin = marks(bins)[0][0];
        assert!(
            (bin.x - 0.64).abs() < 1e-12 && (bin.y - 0.6).abs() < 1e-12 && bin.band.is_some_and(|band| band.0 < 0.6)
        );
        assert_eq!((marks(kept)[0].len(), marks(kept)[0][9].y), (10, 0.4));
        assert_eq!(bins.caption, reliability.caption);
    }

    #[test]
    fn without_answers_there_is_no_curve() {
        assert!(curves(&record(&[])).unwrap().is_empty());
    }
}
