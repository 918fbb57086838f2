use std::collections::BTreeMap;

use super::*;
use crate::eval::record::sample::{item, record, run};
use crate::eval::task::{Bounds, Observation};

/// The result of a metric of a task, by itself.
pub(in crate::eval) fn result(task: &str, value: f64, n: usize, stderr: f64) -> MetricResult {
    MetricResult {
        task: task.into(),
        metric: "acc".into(),
        filter: "none".into(),
        stratum: None,
        members: None,
        n,
        clusters: None,
        value: Some(value),
        stderr: Some(stderr),
        interval: None,
        method: IntervalMethod::None,
        aggregation: Aggregation::Mean,
        better: Better::Higher,
        chance: Some(0.25),
    }
}

fn results(items: &[TaskItemRecord]) -> Vec<MetricResult> {
    of(&run().tasks, items)
}

#[test]
fn a_share_has_wilsons_interval_over_all_and_in_each_stratum() {
    let found = results(&record().items);
    assert_eq!(
        found.iter().map(|one| one.stratum.as_deref()).collect::<Vec<_>>(),
        [None, Some("kind=even"), Some("kind=odd")]
    );
    let all = &found[0];
    let wilson = Proportion::new(3, 4);
    assert_eq!((all.n, all.value, all.interval), (4, Some(0.75), Some((wilson.low, wilson.high))));
    assert_eq!((all.method, all.clusters), (IntervalMethod::Wilson, None));
    assert!((all.stderr.unwrap() - 0.25).abs() < 1e-12);
    assert_eq!((found[1].value, found[2].value), (Some(0.5), Some(1.0)));
}

#[test]
fn clusters_widen_the_error_and_few_of_them_are_resampled() {
    let clustered = |n: usize, size: usize| -> Vec<TaskItemRecord> {
        let one = |at: usize| TaskItemRecord {
            cluster: Some((at / size).to_string()),
            ..item(at, (at / size).is_multiple_of(3))
        };
        (0..n).map(one).collect()
    };
    let few = &results(&clustered(40, 4))[0];
    assert_eq!((few.clusters, few.n), (Some(10), 40));
    assert!(matches!(few.method, IntervalMethod::BootstrapBca | IntervalMethod::BootstrapPercentile));
    let many = &results(&clustered(160, 4))[0];
    assert_eq!((many.clusters, many.method), (Some(40), IntervalMethod::ClusteredT));
    let alike: Vec<TaskItemRecord> =
        clustered(40, 4).into_iter().filter(|item| item.cluster == Some("0".into())).collect();
    let twice = alike
        .iter()
        .cloned()
        .chain(alike.iter().map(|one| TaskItemRecord { cluster: Some("1".into()), ..one.clone() }));
    let alike = &results(&twice.collect::<Vec<_>>())[0];
    let of_two = Proportion::new(2, 2);
    assert_eq!((alike.method, alike.interval), (IntervalMethod::Wilson, Some((of_two.low, of_two.high))));
    let alone = &results(&clustered(40, 1))[0];
    assert_eq!((alone.clusters, alone.method), (None, IntervalMethod::Wilson));
    assert!(few.stderr > alone.stderr, "{few:?} {alone:?}");
}

#[test]
fn numbers_have_students_interval_and_ratios_are_resampled() {
    let with = |aggregation, values: Vec<Observed>| {
        let mut tasks = run().tasks;
        tasks[0].metrics[0] = MetricSpec { aggregation, bounds: Bounds::default(), ..tasks[0].metrics[0].clone() };
        let items: Vec<TaskItemRecord> = values
            .into_iter()
            .enumerate()
            .map(|(at, value)| {
                let mut item = item(at, true);
                item.graded.observations = vec![Observation { metric: "acc".into(), filter: "none".into(), value }];
                item
            })
            .collect();
        of(&tasks, &items).remove(0)
    };
    let numbers = || [1.0, 3.0, 5.0].map(Observed::Number).to_vec();
    let mean = with(Aggregation::Mean, numbers());
    let half = 4.302_652_73 * (4.0f64 / 3.0).sqrt();
    assert_eq!((mean.value, mean.method), (Some(3.0), IntervalMethod::StudentT));
    assert!((mean.interval.unwrap().1 - 3.0 - half).abs() < 1e-6);
    let perplexity = with(Aggregation::Perplexity, [-1.0, -2.0, -0.5, -1.5].map(Observed::Number).to_vec());
    assert!(matches!(perplexity.method, IntervalMethod::BootstrapBca | IntervalMethod::BootstrapPercentile));
    let (low, high) = perplexity.interval.unwrap();
    assert!(low < perplexity.value.unwrap() && perplexity.value.unwrap() < high);
    assert_eq!(perplexity, with(Aggregation::Perplexity, [-1.0, -2.0, -0.5, -1.5].map(Observed::Number).to_vec()));
    let one = with(Aggregation::Mean, numbers()[..1].to_vec());
    assert_eq!((one.value, one.stderr, one.interval, one.method), (Some(1.0), None, None, IntervalMethod::None));
    let wrong = with(Aggregation::F1, numbers());
    assert_eq!((wrong.n, wrong.value, wrong.interval), (3, None, None));
}

#[test]
fn a_request_with_a_lint_counts_once() {
    let mut items = record().items;
    let Response::Scored(scored) = &mut items[0].responses[0] else { panic!() };
    scored.lints = vec![Lint::DoubleBos, Lint::Truncated, Lint::DoubleBos];
    assert_eq!(lints(&items), BTreeMap::from([("double-bos".to_owned(), 1), ("truncated".to_owned(), 1)]));
}
