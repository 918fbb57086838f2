//! A comparison as GitHub's workflow commands and as a step summary, within GitHub's limits.
//!
//! Docs: "Workflow commands for GitHub Actions". Ten annotations of a kind are shown for a step; a summary has at most a
//! MiB.

use std::fmt::Write as _;

use super::report::{sentence, summary};
use super::{Comparison, Verdict};

/// Annotations of one kind that are shown for a step.
const ANNOTATIONS: usize = 10;
/// Bytes of a step summary.
const SUMMARY: usize = 1 << 20;

/// One line for each metric that does not pass: errors for those that fail, warnings for those that are open.
pub fn annotations(found: &Comparison) -> String {
    let of = |wanted: Verdict, command: &str| -> String {
        let metrics: Vec<_> = found.changes.iter().filter(|change| change.verdict == Some(wanted)).collect();
        let more = metrics.len().saturating_sub(ANNOTATIONS);
        let shown = if more == 0 { metrics.len() } else { ANNOTATIONS - 1 };
        let mut lines = String::new();
        for change in &metrics[..shown] {
            let title = property(&format!("{}: {}", change.name(), wanted.name()));
            // writing to a string cannot fail
            let _ = writeln!(lines, "::{command} title={title}::{}", message(&sentence(change)));
        }
        if more > 0 {
            let rest: Vec<String> = metrics[shown..].iter().map(|change| change.name()).collect();
            let text = message(&format!("{} more: {}", rest.len(), rest.join(", ")));
            let _ = writeln!(lines, "::{command} title={}::{text}", property(wanted.name()));
        }
        lines
    };
    of(Verdict::Fail, "error") + &of(Verdict::Inconclusive, "warning")
}

/// The verdict, then the tables, given as Markdown; cut at a line, saying so, where it would be too long.
pub fn step_summary(found: &Comparison, tables: &str) -> String {
    let whole = format!("## lmscope eval: {}\n\n{tables}", summary(found));
    if whole.len() <= SUMMARY {
        return whole;
    }
    let note = "\n\n(cut: a step summary has at most 1 MiB; the JSON has all)\n";
    let mut end = SUMMARY - note.len();
    while !whole.is_char_boundary(end) {
        end -= 1;
    }
    let end = whole[..end].rfind('\n').unwrap_or(end);
    format!("{}{note}", &whole[..end])
}

fn message(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}
