//! Every law with its verdict.

use std::fmt;

use serde::Serialize;

use super::invariant::{Invariant, Measured, Rounding, Scale, Tolerance};
use crate::figure::{Cell, Column, Content, Figure, Provenance, ShapeError, Table};
use crate::model::Dtype;
use crate::model::checkpoint::Arithmetic;

/// What was found about one law.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// The law.
    pub name: &'static str,
    /// What holds, in a sentence without a period.
    pub about: &'static str,
    /// Whether it does.
    pub verdict: Verdict,
    /// The largest deviation, in the tolerance's scale. JSON has `null` for an infinite one: something is no number.
    pub deviation: Option<f64>,
    /// How far off it may be.
    pub tolerance: Tolerance,
    /// Where the deviation is largest; nothing where there is none.
    pub at: Option<String>,
    /// Why it says nothing here.
    pub reason: Option<String>,
}

/// Whether a law holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Up to the tolerance.
    Holds,
    /// Not.
    Fails,
    /// It says nothing about this model and prompt.
    NotApplicable,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Holds => "ok",
            Self::Fails => "FAILS",
            Self::NotApplicable => "n/a",
        })
    }
}

impl fmt::Display for Tolerance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scale {
            Scale::Absolute => write!(f, "{:e}", self.limit),
            Scale::PositionMax => write!(f, "{:e} relative", self.limit),
            Scale::Count => write!(f, "{} values", self.limit),
        }
    }
}

impl Check {
    /// Judges what was measured.
    pub(super) fn new(name: &'static str, about: &'static str, tolerance: Tolerance, measured: Measured) -> Self {
        let check =
            Self { name, about, verdict: Verdict::NotApplicable, deviation: None, tolerance, at: None, reason: None };
        match measured {
            Measured::NotApplicable(reason) => Self { reason: Some(reason), ..check },
            Measured::Deviation { value, at } => {
                let verdict = if value <= tolerance.limit { Verdict::Holds } else { Verdict::Fails };
                Self { verdict, deviation: Some(value), at: (!at.is_empty()).then_some(at), ..check }
            }
        }
    }

    /// Judges an invariant, which quantised products may have put out of reach.
    pub(super) fn of(invariant: &dyn Invariant, measured: Measured, arithmetic: Arithmetic, dtype: Dtype) -> Self {
        let tolerance = invariant.tolerance().in_dtype(dtype);
        let check = Self::new(invariant.name(), invariant.about(), tolerance, measured);
        let is_rounded = arithmetic == Arithmetic::Fast && invariant.rounding() == Rounding::Breaks;
        match check.deviation {
            Some(value) if is_rounded && check.verdict == Verdict::Fails && value.is_finite() => {
                let reason = "quantised products round activations: holds without --fast, if at all".into();
                Self { verdict: Verdict::NotApplicable, reason: Some(reason), ..check }
            }
            Some(_) | None => check,
        }
    }

    fn row(&self) -> Vec<Cell> {
        let text = |text: &Option<String>| text.clone().map_or(Cell::Empty, Cell::Text);
        let remark = self.reason.as_ref().or(self.at.as_ref());
        vec![
            Cell::Text(self.name.into()),
            Cell::Text(self.verdict.to_string()),
            self.deviation.map_or(Cell::Empty, Cell::Scientific),
            Cell::Text(self.tolerance.to_string()),
            text(&remark.cloned()),
            Cell::Text(self.about.into()),
        ]
    }
}

/// The verdicts on one model and prompt.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// One a law, in the order they were tried.
    pub checks: Vec<Check>,
}

impl Report {
    /// The laws that do not hold.
    pub fn failed(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| check.verdict == Verdict::Fails)
    }

    /// Whether no law fails.
    pub fn holds(&self) -> bool {
        self.failed().next().is_none()
    }

    /// One line for people: `11 invariants hold`, or which do not.
    pub fn summary(&self) -> String {
        let count = |verdict| self.checks.iter().filter(|check| check.verdict == verdict).count();
        let mut parts = vec![format!("{} hold", count(Verdict::Holds))];
        if count(Verdict::NotApplicable) > 0 {
            parts.push(format!("{} not applicable", count(Verdict::NotApplicable)));
        }
        let failed: Vec<&str> = self.failed().map(|check| check.name).collect();
        if !failed.is_empty() {
            parts.push(format!("{} FAIL: {}", failed.len(), failed.join(", ")));
        }
        parts.join(", ")
    }

    /// The report as a table.
    pub fn figure(&self, provenance: Provenance) -> Result<Figure, ShapeError> {
        let columns = ["invariant", "verdict", "deviation", "tolerance", "worst_at", "checks_that"];
        let columns = columns.map(|name| Column::new(name, "")).to_vec();
        let rows = self.checks.iter().map(Check::row).collect();
        Ok(Figure {
            title: format!("Invariants: {}", self.summary()),
            caption: "deviation: the largest found, in the unit of what is compared; relative ones are divided by the \
                      largest absolute value at that position of all that is compared or added up."
                .into(),
            provenance,
            content: Content::Table(Table::new(columns, rows)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::INVARIANTS;

    fn found(value: f64) -> Measured {
        Measured::Deviation { value, at: "somewhere".into() }
    }

    #[test]
    fn a_verdict_follows_from_the_deviation_alone() {
        let cases = [
            (found(0.0), Verdict::Holds),
            (found(1e-4), Verdict::Holds),
            (found(1.1e-4), Verdict::Fails),
            (found(f64::INFINITY), Verdict::Fails),
            (Measured::NotApplicable("no".into()), Verdict::NotApplicable),
        ];
        for (measured, expected) in cases {
            let check = Check::new("x", "y", Tolerance::absolute(1e-4), measured);
            assert_eq!(check.verdict, expected, "{check:?}");
        }
    }

    #[test]
    fn quantised_arithmetic_excuses_what_it_breaks_and_nothing_else() {
        for invariant in INVARIANTS {
            let excused = invariant.rounding() == Rounding::Breaks;
            let fast = Check::of(*invariant, found(0.1), Arithmetic::Fast, Dtype::F32);
            assert_eq!(fast.verdict == Verdict::NotApplicable, excused, "{}", invariant.name());
            assert_eq!(fast.deviation, Some(0.1), "the remainder is told");
            assert_eq!(Check::of(*invariant, found(0.1), Arithmetic::Exact, Dtype::F32).verdict, Verdict::Fails);
            assert_eq!(
                Check::of(*invariant, found(f64::INFINITY), Arithmetic::Fast, Dtype::F32).verdict,
                Verdict::Fails
            );
        }
    }

    #[test]
    fn the_summary_names_what_fails() {
        let check = |name, measured| Check::new(name, "", Tolerance::NONE, measured);
        let report = Report {
            checks: vec![
                check("a", found(0.0)),
                check("b", found(1.0)),
                check("c", Measured::NotApplicable("no".into())),
            ],
        };
        assert_eq!(report.summary(), "1 hold, 1 not applicable, 1 FAIL: b");
        assert!(!report.holds());
    }
}
