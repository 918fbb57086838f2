//! A comparison as `JUnit` XML: one case for each metric that is gated, not one an item.

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use super::report::sentence;
use super::{Change, Comparison, Verdict};

/// The flipped items that a case lists at most.
const LISTED: usize = 50;

/// What an undecided metric counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undecided {
    /// Skipped, with the reason.
    Skipped,
    /// Failed.
    Failed,
}

/// The file.
///
/// # Errors
/// If a text cannot be written as XML.
pub fn write(found: &Comparison, undecided: Undecided) -> Result<String, quick_junit::SerializeError> {
    let mut report = Report::new("lmscope eval");
    let mut tasks: Vec<&str> = found.changes.iter().map(|change| change.task.as_str()).collect();
    tasks.dedup();
    for task in tasks {
        let mut suite = TestSuite::new(task);
        for (name, value) in
            [("model", &found.new.model), ("fingerprint", &found.new.fingerprint), ("baseline", &found.old.fingerprint)]
        {
            suite.properties.push(Property::new(name, value.as_str()));
        }
        let gated = found.changes.iter().filter(|change| change.task == task);
        suite.add_test_cases(gated.filter_map(|change| Some(case(change, change.verdict?, undecided))));
        report.add_test_suite(suite);
    }
    report.to_string()
}

fn case(change: &Change, verdict: Verdict, undecided: Undecided) -> TestCase {
    let mut status = match (verdict, undecided) {
        (Verdict::Pass, _) => TestCaseStatus::success(),
        (Verdict::Inconclusive, Undecided::Skipped) => TestCaseStatus::skipped(),
        (Verdict::Inconclusive, Undecided::Failed) | (Verdict::Fail, _) => {
            TestCaseStatus::non_success(NonSuccessKind::Failure)
        }
    };
    if verdict != Verdict::Pass {
        status.set_message(format!("{}: {}", verdict.name(), sentence(change)));
        status.set_description(flips(change));
    }
    let filter = if change.filter == "none" { String::new() } else { format!(",{}", change.filter) };
    let mut case = TestCase::new(format!("{}{filter}", change.metric), status);
    case.set_classname(change.task.as_str());
    case
}

fn flips(change: &Change) -> String {
    let list = |what: &str, items: &[String]| {
        let more = items.len().saturating_sub(LISTED);
        let listed = items.iter().take(LISTED).map(|item| format!("{what} {item}\n"));
        let rest = (more > 0).then(|| format!("{what} {more} more\n"));
        listed.chain(rest).collect::<Vec<_>>().concat()
    };
    list("lost", &change.lost) + &list("gained", &change.gained)
}
