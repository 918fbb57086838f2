//! Sums and products: what is asked, and how an answer is read and compared place by place.
//!
//! Nothing here asks a model: numbers, texts and what a suite says of its wording come in, texts go out.

pub(super) mod asking;
pub(super) mod calculator;
mod number;

use serde_json::{Map, Value};

pub(super) use self::number::{Places, answer_of};

/// What is done with two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    /// `+`.
    Sum,
    /// `*`.
    Product,
}

/// One exercise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exercise {
    /// What is done.
    pub(super) operation: Operation,
    /// The first number.
    pub(super) a: u64,
    /// The second one.
    pub(super) b: u64,
}

impl Exercise {
    /// The exercise of an item: its `operation`, `sum` or `product`, and the whole numbers `a` and `b`.
    pub(super) fn of(fields: &Map<String, Value>) -> Result<Self, String> {
        let number = |name: &str| match fields.get(name) {
            Some(value) => value
                .as_u64()
                .filter(|number| u32::try_from(*number).is_ok())
                .ok_or_else(|| format!("`{name}` is {value}, a whole number from 0 to {} is expected", u32::MAX)),
            None => Err(format!("the field `{name}` is missing")),
        };
        let operation = match fields.get("operation") {
            Some(Value::String(name)) if name == "sum" => Operation::Sum,
            Some(Value::String(name)) if name == "product" => Operation::Product,
            Some(other) => return Err(format!("`operation` is {other}, \"sum\" or \"product\" is expected")),
            None => return Err("the field `operation` is missing".into()),
        };
        Ok(Self { operation, a: number("a")?, b: number("b")? })
    }

    /// The right answer.
    pub(super) fn result(self) -> u64 {
        match self.operation {
            Operation::Sum => self.a + self.b,
            Operation::Product => self.a * self.b,
        }
    }

    /// As an expression, `47 + 45`.
    pub(super) fn expression(self) -> String {
        let sign = match self.operation {
            Operation::Sum => '+',
            Operation::Product => '*',
        };
        format!("{} {sign} {}", self.a, self.b)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: Value) -> Result<Exercise, String> {
        Exercise::of(value.as_object().unwrap())
    }

    #[test]
    fn an_exercise_is_read() {
        let sum = read(json!({"operation": "sum", "a": 47, "b": 45})).unwrap();
        assert_eq!((sum.expression(), sum.result()), ("47 + 45".to_owned(), 92));
        let product = read(json!({"operation": "product", "a": u32::MAX, "b": u32::MAX})).unwrap();
        assert_eq!(product.result(), 18_446_744_065_119_617_025);
    }

    #[test]
    fn a_mistake_says_what_is_expected() {
        let cases = [
            (json!({"a": 1, "b": 2}), "the field `operation` is missing"),
            (json!({"operation": "+", "a": 1, "b": 2}), "`operation` is \"+\", \"sum\" or \"product\" is expected"),
            (json!({"operation": "sum", "a": 1}), "the field `b` is missing"),
            (
                json!({"operation": "sum", "a": -1, "b": 2}),
                "`a` is -1, a whole number from 0 to 4294967295 is expected",
            ),
            (
                json!({"operation": "sum", "a": 1, "b": "2"}),
                "`b` is \"2\", a whole number from 0 to 4294967295 is expected",
            ),
        ];
        for (value, expected) in cases {
            assert_eq!(read(value).unwrap_err(), expected);
        }
    }
}
