//! One intervention as typed: a kind, a colon, and what that kind reads.

use std::fmt;
use std::str::FromStr;

use super::{Edit, Error, Ground, INTERVENTIONS, Kind, Needs, ParseError, Problem};

/// What a kind made of its part of the text; it prints that text.
pub trait Intervention: fmt::Display + fmt::Debug + Send + Sync {
    /// Checks it against the model and the prompt, before anything runs, and says what it takes from other runs.
    fn check(&self, on: &Ground<'_>) -> Result<Needs, Problem>;

    /// The changes of hooks, in order; `on` has the activations asked for.
    fn edits(&self, on: &Ground<'_>) -> Result<Vec<Edit>, Problem>;

    /// The prompt that it names to take activations from.
    fn prompt(&self) -> Option<&str> {
        None
    }
}

/// One intervention as typed.
#[derive(Debug)]
pub struct Spec {
    kind: &'static str,
    inner: Box<dyn Intervention>,
}

impl Spec {
    /// Reads each of several.
    pub fn parse_all<T: AsRef<str>>(texts: &[T]) -> Result<Vec<Self>, Error> {
        texts.iter().map(|text| text.as_ref().parse()).collect()
    }

    /// The prompt that it names to take activations from, which [`Runs::named`](super::Runs::named) must have.
    pub fn prompt(&self) -> Option<&str> {
        self.inner.prompt()
    }

    pub(super) fn check(&self, on: &Ground<'_>) -> Result<Needs, Error> {
        self.inner.check(on).map_err(|source| Error::Check { spec: self.to_string(), source })
    }

    pub(super) fn edits(&self, on: &Ground<'_>) -> Result<Vec<Edit>, Error> {
        self.inner.edits(on).map_err(|source| Error::Check { spec: self.to_string(), source })
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.inner)
    }
}

impl FromStr for Spec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (word, rest) = text.split_once(':').unwrap_or((text, ""));
        let kind = INTERVENTIONS.iter().find(|kind| kind.name() == word);
        let kind = kind.ok_or_else(|| ParseError::Kind { found: word.into(), nearest: nearest(word) });
        let parsed = kind.and_then(|kind| Ok(Self { kind: kind.name(), inner: kind.parse(rest)? }));
        parsed.map_err(|source| Error::Parse { spec: text.into(), source })
    }
}

/// Reads a factor, which is finite.
pub(super) fn factor(text: &str) -> Result<f64, ParseError> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite());
    number.ok_or_else(|| ParseError::Factor { found: text.into() })
}

/// The kind whose name is most like `word`.
fn nearest(word: &str) -> &'static str {
    let likeness = |kind: &&&dyn Kind| strsim::normalized_damerau_levenshtein(kind.name(), word);
    let best = INTERVENTIONS.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    best.map_or("zero", |kind| kind.name())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn error(text: &str) -> ParseError {
        match text.parse::<Spec>() {
            Err(Error::Parse { source, .. }) => source,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn the_example_of_every_kind_prints_as_it_was_typed() {
        for kind in INTERVENTIONS {
            for example in kind.examples() {
                assert_eq!(example.parse::<Spec>().unwrap().to_string(), *example);
            }
        }
    }

    #[test]
    fn a_typo_is_told_with_what_was_meant() {
        assert_eq!(error("zer:L5"), ParseError::Kind { found: "zer".into(), nearest: "zero" });
        assert_eq!(error("knokout:L5H3:9->2"), ParseError::Kind { found: "knokout".into(), nearest: "knockout" });
        assert_eq!(error("zero"), ParseError::Place { found: String::new() });
        assert_eq!(error("zero:5"), ParseError::Place { found: "5".into() });
        assert_eq!(error("zero:L5.mpl"), ParseError::Part { found: ".mpl".into() });
        assert!(error("zero:L5.mpl").hint().contains("`.mlp`"));
        assert_eq!(error("zero:L5H"), ParseError::Range { what: "head", found: String::new() });
        assert_eq!(error("zero:L5@x"), ParseError::Range { what: "position", found: "x".into() });
        assert_eq!(error("scale:L5*x"), ParseError::Factor { found: "x".into() });
        assert_eq!(error("scale:L5*inf"), ParseError::Factor { found: "inf".into() });
        assert!(matches!(error("scale:L5"), ParseError::Lacks { .. }));
        assert!(matches!(error("steer:L5-1.5*v.safetensors"), ParseError::Lacks { .. }));
        assert!(matches!(error("knockout:L5:9->2"), ParseError::Edges { .. }));
        assert!(matches!(error("knockout:L5H3:9"), ParseError::Edges { .. }));
    }

    fn index() -> impl Strategy<Value = String> {
        prop_oneof![(0usize..200).prop_map(|n| n.to_string()), (1usize..9).prop_map(|n| format!("-{n}"))]
    }

    fn range() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("*".to_owned()),
            index(),
            index().prop_map(|first| format!("{first}-")),
            (0usize..50, 1usize..50).prop_map(|(first, n)| format!("{first}-{}", first + n)),
            (1usize..9, 0usize..50).prop_map(|(back, first)| format!("{first}--{back}")),
        ]
    }

    fn component() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            Just(String::new()),
            Just(".attn".to_owned()),
            Just(".mlp".to_owned()),
            range().prop_map(|heads| format!("H{heads}")),
            range().prop_map(|neurons| format!("N{neurons}")),
        ];
        (range(), part).prop_map(|(layers, part)| format!("L{layers}{part}"))
    }

    fn spec() -> impl Strategy<Value = String> {
        let at = prop_oneof![Just(String::new()), range().prop_map(|at| format!("@{at}"))];
        // `@*` is left out when printed
        let at = at.prop_map(|at| if at == "@*" { String::new() } else { at });
        let kind = prop_oneof![Just("zero"), Just("mean"), Just("resample"), Just("patch")];
        let factor = -99.0f64..99.0;
        let edges = prop_oneof![Just("knockout"), Just("zero-attention")];
        prop_oneof![
            (kind, component(), at.clone()).prop_map(|(kind, what, at)| format!("{kind}:{what}{at}")),
            (component(), at.clone(), factor.clone()).prop_map(|(what, at, by)| format!("scale:{what}{at}*{by}")),
            (range(), factor, "[a-z/@.]{1,9}x", at).prop_map(|(at, by, file, pos)| {
                let pos = if pos.is_empty() && file.contains('@') { "@*".into() } else { pos };
                format!("steer:L{at}+{by}*{file}{pos}")
            }),
            (edges, range(), range(), range(), range())
                .prop_map(|(kind, layers, heads, q, k)| format!("{kind}:L{layers}H{heads}:{q}->{k}")),
        ]
    }

    proptest! {
        #[test]
        fn what_is_printed_is_what_was_typed(text in spec()) {
            prop_assert_eq!(text.parse::<Spec>().unwrap().to_string(), text);
        }

        #[test]
        fn parsing_never_panics(text in ".{0,40}", kind in 0usize..8) {
            let _ = text.parse::<Spec>();
            let _ = format!("{}:{text}", INTERVENTIONS[kind].name()).parse::<Spec>();
            let _ = format!("{}:L{text}", INTERVENTIONS[kind].name()).parse::<Spec>();
        }
    }
}
