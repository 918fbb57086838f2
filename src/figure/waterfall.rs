//! Parts that add up to a whole, and what they leave open.

use serde::Serialize;

/// One part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// What it adds.
    pub value: f64,
}

/// Parts one after the other, each from where the one before it ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Waterfall {
    parts: Vec<Part>,
    total: f64,
    remainder: f64,
    unit: String,
}

impl Waterfall {
    /// Parts of a total; what they do not add up to is the remainder.
    pub fn new(parts: Vec<Part>, total: f64, unit: &str) -> Self {
        let remainder = total - parts.iter().map(|part| part.value).sum::<f64>();
        Self { parts, total, remainder, unit: unit.into() }
    }

    /// The parts, in their order.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// What all parts and the remainder add up to.
    pub const fn total(&self) -> f64 {
        self.total
    }

    /// What the parts leave open.
    pub const fn remainder(&self) -> f64 {
        self.remainder
    }

    /// The unit of all of them.
    pub fn unit(&self) -> &str {
        &self.unit
    }

    /// Every step with its name, where it starts and where it ends; the remainder is the last but one, the total the last.
    pub fn steps(&self) -> Vec<Step<'_>> {
        let mut from = 0.0;
        let mut steps = Vec::with_capacity(self.parts.len() + 2);
        for part in &self.parts {
            steps.push(Step { name: &part.name, from, to: from + part.value });
            from += part.value;
        }
        steps.push(Step { name: "remainder", from, to: self.total });
        steps.push(Step { name: "total", from: 0.0, to: self.total });
        steps
    }
}

/// A part with its place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step<'a> {
    /// Its name.
    pub name: &'a str,
    /// The sum before it.
    pub from: f64,
    /// The sum with it.
    pub to: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_starts_where_the_one_before_ended() {
        let part = |name: &str, value| Part { name: name.into(), value };
        let found = Waterfall::new(vec![part("a", 2.0), part("b", -0.5)], 1.75, "logit");
        let steps: Vec<_> = found.steps().iter().map(|step| (step.name, step.from, step.to)).collect();
        assert_eq!(steps, [("a", 0.0, 2.0), ("b", 2.0, 1.5), ("remainder", 1.5, 1.75), ("total", 0.0, 1.75)]);
        assert!((found.remainder() - 0.25).abs() < 1e-12);
        assert!((Waterfall::new(Vec::new(), 1.0, "").steps()[0].to - 1.0).abs() < 1e-12);
    }
}
