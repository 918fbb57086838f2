//! Numbers as a user writes them: `5`, `3-5`, `3-`, `*`, and `-1` for the last.

use std::fmt;

use super::{ParseError, Problem, Span};

/// A layer, head, neuron or position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Index {
    /// Counted from the start, from 0.
    FromStart(usize),
    /// Counted from the end: 1 is the last.
    FromEnd(usize),
}

/// Some of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// `*`
    All,
    /// `3-`: this one and all after it.
    From(Index),
    /// `3-5`, or `3`: both ends belong to it.
    Between(Index, Index),
}

impl Index {
    /// Splits a leading index off.
    fn split(text: &str) -> Option<(Self, &str)> {
        let (from_end, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        let number = digits[..end].parse().ok()?;
        match from_end {
            true if number == 0 => None,
            true => Some((Self::FromEnd(number), &digits[end..])),
            false => Some((Self::FromStart(number), &digits[end..])),
        }
    }

    /// The index from the start among `n`, where that is known.
    fn resolve(self, what: &'static str, n: Option<usize>) -> Result<usize, Problem> {
        let outside = |n| Problem::Outside { what, found: self.to_string(), n };
        match (self, n) {
            (Self::FromStart(index), None) => Ok(index),
            (Self::FromStart(index), Some(n)) => (index < n).then_some(index).ok_or_else(|| outside(n)),
            (Self::FromEnd(back), Some(n)) => n.checked_sub(back).ok_or_else(|| outside(n)),
            (Self::FromEnd(_), None) => Err(Problem::NoEnd { found: self.to_string() }),
        }
    }
}

impl Range {
    /// Only this one.
    pub const fn one(index: Index) -> Self {
        Self::Between(index, index)
    }

    /// Reads a range of `what`.
    pub fn parse(what: &'static str, text: &str) -> Result<Self, ParseError> {
        let bad = || ParseError::Range { what, found: text.into() };
        if text == "*" {
            return Ok(Self::All);
        }
        let (first, rest) = Index::split(text).ok_or_else(bad)?;
        let Some(rest) = rest.strip_prefix('-') else {
            return if rest.is_empty() { Ok(Self::one(first)) } else { Err(bad()) };
        };
        if rest.is_empty() {
            return Ok(Self::From(first));
        }
        match Index::split(rest) {
            Some((last, "")) if is_ordered(first, last) => Ok(Self::Between(first, last)),
            _ => Err(bad()),
        }
    }

    /// The same numbers from the start, among `n` where that is known; open to the end where the range is.
    ///
    /// # Errors
    /// [`Problem::Outside`] for a number that does not exist.
    pub fn resolve(self, what: &'static str, n: Option<usize>) -> Result<Span, Problem> {
        match self {
            Self::All => Ok(Span { start: 0, end: None }),
            Self::From(first) => Ok(Span { start: first.resolve(what, n)?, end: None }),
            Self::Between(first, last) => {
                let (start, last) = (first.resolve(what, n)?, last.resolve(what, n)?);
                if start > last {
                    return Err(Problem::Empty { what, found: self.to_string(), n: n.unwrap_or(0) });
                }
                Ok(Span { start, end: Some(last + 1) })
            }
        }
    }
}

/// Whether two indices can be the ends of a range; those of different kinds are compared when `n` is known.
const fn is_ordered(first: Index, last: Index) -> bool {
    match (first, last) {
        (Index::FromStart(first), Index::FromStart(last)) => first <= last,
        (Index::FromEnd(first), Index::FromEnd(last)) => first >= last,
        (Index::FromStart(_), Index::FromEnd(_)) | (Index::FromEnd(_), Index::FromStart(_)) => true,
    }
}

impl fmt::Display for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FromStart(index) => write!(f, "{index}"),
            Self::FromEnd(back) => write!(f, "-{back}"),
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::From(first) => write!(f, "{first}-"),
            Self::Between(first, last) if first == last => write!(f, "{first}"),
            Self::Between(first, last) => write!(f, "{first}-{last}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_mean_what_a_user_means() {
        let span = |text| Range::parse("layer", text).unwrap().resolve("layer", Some(10)).unwrap();
        let closed = |start, end| Span { start, end: Some(end) };
        assert_eq!(span("*"), Span { start: 0, end: None });
        assert_eq!(span("4"), closed(4, 5));
        assert_eq!(span("3-5"), closed(3, 6));
        assert_eq!(span("3-"), Span { start: 3, end: None });
        assert_eq!(span("-1"), closed(9, 10));
        assert_eq!(span("-3--1"), closed(7, 10));
        assert_eq!(span("-3-"), Span { start: 7, end: None });
        assert_eq!(span("2--2"), closed(2, 9));
    }

    #[test]
    fn wrong_ranges_are_refused() {
        for text in ["", "a", "5-3", "-0", "-1--3", "3-5-7", "3 ", "--1", "99999999999999999999"] {
            assert!(matches!(Range::parse("layer", text), Err(ParseError::Range { .. })), "{text}");
        }
        for text in ["10", "-11", "9-10"] {
            let range = Range::parse("layer", text).unwrap();
            assert!(matches!(range.resolve("layer", Some(10)), Err(Problem::Outside { n: 10, .. })), "{text}");
        }
        let range = Range::parse("position", "8--9").unwrap();
        assert!(matches!(range.resolve("position", Some(10)), Err(Problem::Empty { .. })));
        let range = Range::parse("position", "-1").unwrap();
        assert!(matches!(range.resolve("position", None), Err(Problem::NoEnd { .. })));
    }
}
