//! Groups of tasks and what is counted over them: lm-evaluation-harness's `aggregate_metric_list`.
//!
//! A group's value is the mean of its tasks' values. Tasks do not depend on each other, so its standard error follows
//! from theirs; items are not looked at again.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::filter::unknown_keys;
use super::node::{Kind, Node};
use super::problem::Problem;
use super::record::TaskInfo;
use super::results::{IntervalMethod, MetricResult};

/// That a metric of a task is counted in a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The group's name.
    pub group: String,
    /// The metric.
    pub metric: String,
    /// The filters whose answers are counted; all that the tasks have, if none are named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filters: Option<Vec<String>>,
    /// What a task weighs.
    pub weight: Weight,
}

/// What a task weighs in its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// As many as it has items.
    Items,
    /// As much as any other.
    Equal,
}

/// The two-sided 95 % point of the normal distribution.
const NORMAL_95: f64 = 1.959_963_984_540_054;

/// Reads the `aggregate_metric_list` of a group: one entry, or a list of them.
pub(super) fn read(group: &str, node: &Node) -> Result<Vec<Membership>, Vec<Problem>> {
    let nodes = match &node.kind {
        Kind::Scalar(Value::Null) => return Ok(Vec::new()),
        Kind::List(nodes) => nodes.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    for node in nodes {
        match read_one(group, node) {
            Ok(membership) => found.push(membership),
            Err(wrong) => problems.extend(wrong),
        }
    }
    if problems.is_empty() { Ok(found) } else { Err(problems) }
}

fn read_one(group: &str, node: &Node) -> Result<Membership, Vec<Problem>> {
    let mut problems = unknown_keys(node, &["metric", "filter_list", "aggregation", "weight_by_size"]);
    let metric = node.get("metric").and_then(Node::text);
    if metric.is_none() {
        problems.push(node.problem("a metric of a group needs its name, as `metric`"));
    }
    if let Some(node) = node.get("aggregation").filter(|node| node.text() != Some("mean")) {
        problems.push(node.problem(format!("tasks of a group are counted together by `mean`, not by {}", node.is_a())));
    }
    let weight = match node.get("weight_by_size").map(|node| (node, node.value())) {
        None | Some((_, Value::Bool(true))) => Weight::Items,
        Some((_, Value::Bool(false))) => Weight::Equal,
        Some((node, _)) => {
            problems.push(node.problem("`weight_by_size` is neither true nor false"));
            Weight::Items
        }
    };
    let filters = match node.get("filter_list").map(|node| (node, node.value())) {
        None | Some((_, Value::Null)) => None,
        Some((_, Value::String(name))) => Some(vec![name]),
        Some((node, names)) => serde_json::from_value(names).unwrap_or_else(|_| {
            problems.push(node.problem("`filter_list` is no list of names"));
            None
        }),
    };
    let metric = metric.unwrap_or_default().to_owned();
    if problems.is_empty() { Ok(Membership { group: group.into(), metric, filters, weight }) } else { Err(problems) }
}

/// What the groups of these tasks come to, an inner group before the one that it is in. `of_tasks` are the results of
/// the tasks.
pub(super) fn results(tasks: &[TaskInfo], of_tasks: &[MetricResult]) -> Vec<MetricResult> {
    let mut wanted: Vec<&Membership> = Vec::new();
    for membership in tasks.iter().flat_map(|task| &task.groups) {
        if !wanted.contains(&membership) {
            wanted.push(membership);
        }
    }
    let mut results = Vec::new();
    for membership in wanted {
        let members: Vec<&str> =
            tasks.iter().filter(|task| task.groups.contains(membership)).map(|task| task.name.as_str()).collect();
        let counted = |result: &&MetricResult| {
            result.stratum.is_none() && result.metric == membership.metric && members.contains(&result.task.as_str())
        };
        let of: Vec<&MetricResult> = of_tasks.iter().filter(counted).collect();
        let there: BTreeSet<&str> = of.iter().map(|result| result.filter.as_str()).collect();
        let filters = membership.filters.clone();
        for filter in filters.unwrap_or_else(|| there.into_iter().map(str::to_owned).collect()) {
            let of: Vec<&MetricResult> = of.iter().copied().filter(|result| result.filter == filter).collect();
            results.extend(together(membership, &of));
        }
    }
    results
}

fn together(membership: &Membership, of: &[&MetricResult]) -> Option<MetricResult> {
    let first = *of.first()?;
    let weight = |result: &MetricResult| match membership.weight {
        Weight::Items => result.n as f64,
        Weight::Equal => 1.0,
    };
    let sum: f64 = of.iter().map(|result| weight(result)).sum();
    let mean = |read: fn(&MetricResult) -> Option<f64>| -> Option<f64> {
        let parts: Option<Vec<f64>> = of.iter().map(|result| Some(weight(result) * read(result)?)).collect();
        parts.map(|parts| parts.iter().sum::<f64>() / sum)
    };
    let value = mean(|result| result.value).filter(|value| value.is_finite());
    let variances: Option<Vec<f64>> =
        of.iter().map(|result| Some((weight(result) / sum * result.stderr?).powi(2))).collect();
    let stderr = variances.map(|parts| parts.iter().sum::<f64>().sqrt()).filter(|_| value.is_some());
    let around = |(value, stderr): (f64, f64)| (value - NORMAL_95 * stderr, value + NORMAL_95 * stderr);
    let interval = value.zip(stderr).map(around);
    Some(MetricResult {
        task: membership.group.clone(),
        members: Some(of.len()),
        n: of.iter().map(|result| result.n).sum(),
        clusters: None,
        value,
        stderr,
        interval,
        method: interval.map_or(IntervalMethod::None, |_| IntervalMethod::Stratified),
        chance: mean(|result| result.chance),
        ..first.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::results::tests::result;
    use crate::eval::yaml;

    fn memberships(list: &str) -> Result<Vec<Membership>, Vec<String>> {
        let node = yaml::read("g.yaml", list).unwrap();
        read("all", &node).map_err(|problems| problems.iter().map(Problem::to_string).collect())
    }

    fn task(name: &str, groups: &[Membership]) -> TaskInfo {
        TaskInfo { name: name.into(), groups: groups.to_vec(), ..TaskInfo::default() }
    }

    #[test]
    fn tasks_weigh_as_many_items_as_they_have_or_all_the_same() {
        let by_size = memberships("metric: acc").unwrap();
        let equal = memberships("- {metric: acc, weight_by_size: false, filter_list: none}").unwrap();
        let of_tasks = [result("a", 0.5, 10, 0.1), result("b", 0.8, 30, 0.2)];
        for (groups, value, stderr) in
            [(&by_size, 0.725, (0.025_f64.powi(2) + 0.15_f64.powi(2)).sqrt()), (&equal, 0.65, 0.05_f64.hypot(0.1))]
        {
            let found = results(&[task("a", groups), task("b", groups)], &of_tasks);
            assert_eq!(found.len(), 1);
            assert_eq!((found[0].task.as_str(), found[0].n, found[0].members), ("all", 40, Some(2)));
            assert!((found[0].value.unwrap() - value).abs() < 1e-12, "{found:?}");
            assert!((found[0].stderr.unwrap() - stderr).abs() < 1e-12, "{found:?}");
        }
    }

    #[test]
    fn a_task_without_the_metric_or_the_filter_is_not_counted() {
        let named = memberships("{metric: acc, filter_list: [strict]}").unwrap();
        let strict = MetricResult { filter: "strict".into(), ..result("a", 1.0, 2, 0.0) };
        let of_tasks = [strict, result("b", 0.0, 2, 0.0)];
        let found = results(&[task("a", &named), task("b", &named)], &of_tasks);
        assert_eq!((found.len(), found[0].value, found[0].n), (1, Some(1.0), 2));
    }

    #[test]
    fn all_mistakes_are_told() {
        let found = memberships("- {metric: acc, aggregation: max, by: size}\n- {weight_by_size: 2}\n").unwrap_err();
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(found[0].contains("`by` is not known here") && found[1].contains("\"max\""), "{found:?}");
    }
}
