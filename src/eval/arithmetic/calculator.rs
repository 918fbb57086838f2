//! A calculator that a model may call: whole numbers, `+ - * /` and parentheses, exactly.
//!
//! What a model writes is a stranger's text: it is bounded before it is parsed, and whatever has no whole result has none.

use std::str::FromStr;

use exmex::{BinOp, Express as _, FlatEx, MakeOperators, Operator};

/// What begins a call; the expression follows.
pub(in crate::eval) const OPEN: &str = "<<";
/// What ends the expression; the result follows.
const EQUALS: char = '=';
/// What ends the result.
const CLOSE: &str = ">>";
/// Longer expressions are not read.
const LONGEST: usize = 64;

/// A whole number, or none where there is no exact one.
#[derive(Debug, Clone, Copy, Default)]
struct Whole(Option<i128>);

impl FromStr for Whole {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(|number| Self(Some(number)))
    }
}

impl Whole {
    fn with(self, other: Self, op: fn(i128, i128) -> Option<i128>) -> Self {
        Self(self.0.zip(other.0).and_then(|(a, b)| op(a, b)))
    }
}

/// The operators, in exmex's form.
#[derive(Debug, Clone)]
struct Operators;

impl MakeOperators<Whole> for Operators {
    fn make<'a>() -> Vec<Operator<'a, Whole>> {
        let plain = |apply: fn(Whole, Whole) -> Whole, prio| BinOp { apply, prio, is_commutative: false };
        vec![
            Operator::make_bin_unary("+", plain(|a, b| a.with(b, i128::checked_add), 0), |a| a),
            Operator::make_bin_unary("-", plain(|a, b| a.with(b, i128::checked_sub), 0), |a| {
                Whole(Some(0)).with(a, i128::checked_sub)
            }),
            Operator::make_bin("*", plain(|a, b| a.with(b, i128::checked_mul), 1)),
            Operator::make_bin("/", plain(|a, b| a.with(b, divided), 1)),
        ]
    }
}

/// A quotient that is whole.
fn divided(a: i128, b: i128) -> Option<i128> {
    if a.checked_rem(b)? == 0 { a.checked_div(b) } else { None }
}

/// The value of an expression; none if it is malformed or its value is not a whole number of 128 bits.
pub(in crate::eval) fn value(expression: &str) -> Option<i128> {
    let is_known = |c: char| c.is_ascii_digit() || "+-*/() ".contains(c);
    if expression.len() > LONGEST || !expression.chars().all(is_known) {
        return None;
    }
    FlatEx::<Whole, Operators>::parse(expression).ok()?.eval(&[]).ok()?.0
}

/// A call that a model has written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::eval) struct Call<'a> {
    /// The answer up to the call's end, `=` included.
    pub(in crate::eval) text: &'a str,
    /// What the expression is worth; none if the call is malformed.
    pub(in crate::eval) value: Option<i128>,
}

impl<'a> Call<'a> {
    /// The first call of a text, well-formed or not. A call that is not ended by `=` in its line is malformed.
    pub(in crate::eval) fn first(text: &'a str) -> Option<Self> {
        let start = text.find(OPEN)? + OPEN.len();
        let line = text[start..].split('\n').next().unwrap_or_default();
        let (end, value) = match line.find(EQUALS) {
            Some(at) => (start + at + 1, value(&line[..at])),
            None => (start + line.len(), None),
        };
        Some(Self { text: &text[..end], value })
    }

    /// The answer with the result put in; none if the call is malformed.
    pub(in crate::eval) fn answered(&self) -> Option<String> {
        Some(format!("{}{}{CLOSE}", self.text, self.value?))
    }
}

/// What a text says after its last call; all of it if it has none.
pub(in crate::eval) fn after_calls(text: &str) -> &str {
    text.rsplit(CLOSE).next().unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn whole_numbers_are_exact() {
        let cases = [
            ("47+45", Some(92)),
            ("99999*99999", Some(9_999_800_001)),
            ("2+3*4", Some(14)),
            ("(2+3)*4", Some(20)),
            ("10-4-3", Some(3)),
            ("100/5/2", Some(10)),
            ("-7+2", Some(-5)),
            ("2 - -3", Some(5)),
            (" 12 * ( 3 + 4 ) ", Some(84)),
            ("9007199254740993+0", Some(9_007_199_254_740_993)),
            // a quotient that is not whole, a division by nothing, a number that is too large
            ("7/2", None),
            ("1/0", None),
            ("0/(3-3)", None),
            ("99999999999999999999999999999999999999999", None),
            ("170141183460469231731687303715884105727+1", None),
        ];
        for (expression, expected) in cases {
            assert_eq!(value(expression), expected, "{expression}");
        }
    }

    #[test]
    fn what_is_no_expression_has_no_value() {
        let long = "1+".repeat(200) + "1";
        let deep = "(".repeat(60) + "1";
        for text in
            ["", " ", "+", "1+", "*2", "1 2", "()", "(1", "1)", "47 plus 45", "1.5+1", "x", "1e9", "1,000+1", "{}"]
                .into_iter()
                .chain([long.as_str(), deep.as_str()])
        {
            assert_eq!(value(text), None, "{text}");
        }
    }

    #[test]
    fn a_call_is_read_and_answered() {
        let call = |text| Call::first(text).map(|call| (call.text.to_owned(), call.answered()));
        let given = |text: &str, answered: Option<&str>| Some((text.to_owned(), answered.map(str::to_owned)));
        assert_eq!(call("<<47+45=92>>92."), given("<<47+45=", Some("<<47+45=92>>")));
        // what the model made up is not believed
        assert_eq!(call("So <<47+45=93>>93."), given("So <<47+45=", Some("So <<47+45=92>>")));
        assert_eq!(call("<<47+45"), given("<<47+45", None));
        assert_eq!(call("<<47 and 45>> is\n=92"), given("<<47 and 45>> is", None));
        assert_eq!(call("<<=92"), given("<<=", None));
        assert_eq!(call("<<é+1="), given("<<é+1=", None));
        assert_eq!(call("92."), None);
        assert_eq!(after_calls("<<47+45=92>>92."), "92.");
        assert_eq!(after_calls("92."), "92.");
    }

    /// A tree of operations, as text and as its value.
    fn tree() -> impl Strategy<Value = (String, Option<i128>)> {
        let leaf = (0i128..1000).prop_map(|number| (number.to_string(), Some(number)));
        leaf.prop_recursive(3, 8, 2, |inner| {
            (inner.clone(), prop::sample::select(vec!['+', '-', '*', '/']), inner).prop_map(|((a, x), sign, (b, y))| {
                let value = x.zip(y).and_then(|(x, y)| match sign {
                    '+' => Some(x + y),
                    '-' => Some(x - y),
                    '*' => Some(x * y),
                    _ if y == 0 || x % y != 0 => None,
                    _ => Some(x / y),
                });
                (format!("({a}{sign}{b})"), value)
            })
        })
    }

    proptest! {
        #[test]
        fn trees_have_their_values((text, expected) in tree()) {
            prop_assume!(text.len() <= LONGEST);
            prop_assert_eq!(value(&text), expected);
        }

        #[test]
        fn no_text_is_a_panic(text in "[0-9+*/() <>=.-]{0,40}", any in ".{0,40}") {
            for text in [text, any] {
                let _ = value(&text);
                let _ = Call::first(&text).map(|call| call.answered());
            }
        }
    }
}
