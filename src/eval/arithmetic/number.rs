//! Reading the number that an answer gives, and comparing it with the right one place by place.

use std::sync::LazyLock;

use fancy_regex::Regex;

use super::calculator::after_calls;

/// What announces the answer after steps.
const ANNOUNCED: &str = "Answer:";

/// A number: perhaps a sign, groups of three digits between commas or digits alone, perhaps a fraction.
static NUMBER: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?<![0-9])-?(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?").ok());

/// The number that an answer gives: the last one of what follows the last `Answer:`, else of what follows the last call
/// of a calculator. Commas and zeros in front are dropped.
pub(in crate::eval) fn answer_of(text: &str) -> Option<String> {
    let said = match text.rsplit_once(ANNOUNCED) {
        Some((_, said)) => said,
        None => after_calls(text),
    };
    let number = NUMBER.as_ref()?.find_iter(said).filter_map(Result::ok).last()?;
    let number = number.as_str().replace(',', "");
    let digits = number.trim_start_matches('0');
    Some(if digits.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
        digits.into()
    } else {
        format!("0{digits}")
    })
}

/// How an answer agrees with the right number, the last digits under each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::eval) struct Places {
    /// The share of places that hold the same character, of as many places as the longer one has.
    pub(in crate::eval) share: f64,
    /// Whether both begin with the same digit.
    pub(in crate::eval) first: bool,
    /// Whether both end with the same digit.
    pub(in crate::eval) last: bool,
}

impl Places {
    /// Of an answer beside the right number; an answer that is not there agrees nowhere.
    pub(in crate::eval) fn of(answer: Option<&str>, right: &str) -> Self {
        let (answer, right) = (answer.unwrap_or_default().as_bytes(), right.as_bytes());
        let same = answer.iter().rev().zip(right.iter().rev()).filter(|(found, right)| found == right).count();
        Self {
            share: same as f64 / answer.len().max(right.len()).max(1) as f64,
            first: answer.first().is_some_and(|first| Some(first) == right.first()),
            last: answer.last().is_some_and(|last| Some(last) == right.last()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_an_answer() {
        let cases = [
            ("92.", Some("92")),
            (" 92", Some("92")),
            ("47 + 45 = 92", Some("92")),
            ("The sum of 47 and 45 is 92!", Some("92")),
            ("9,999,800,001", Some("9999800001")),
            ("It is 1,2 or 3,4", Some("4")),
            ("007", Some("7")),
            ("0", Some("0")),
            ("000", Some("0")),
            ("-5", Some("-5")),
            ("47-45", Some("45")),
            ("0.5", Some("0.5")),
            ("92.5", Some("92.5")),
            ("7+5=12 write 2 carry 1; 4+4+1=09 write 92 carry 0; Answer: 92.", Some("92")),
            ("7+5=12; Answer: none", None),
            ("<<47+45=92>>92.", Some("92")),
            // the result of a calculator is no answer of the model's
            ("<<47+45=92>>", None),
            ("I don't know.", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(answer_of(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn places_are_counted_from_the_right() {
        let places = |answer, right| Places::of(answer, right);
        let of = |share, first, last| Places { share, first, last };
        assert_eq!(places(Some("92"), "92"), of(1.0, true, true));
        assert_eq!(places(Some("93"), "92"), of(0.5, true, false));
        assert_eq!(places(Some("2"), "92"), of(0.5, false, true));
        // 1092: the 2 and the 9 stand where they should, the other two places should be empty
        assert_eq!(places(Some("1092"), "92"), of(0.5, false, true));
        assert_eq!(places(Some("920"), "92"), of(0.0, true, false));
        assert_eq!(places(None, "92"), of(0.0, false, false));
        assert_eq!(places(None, ""), of(0.0, false, false));
    }
}
