//! Whether an answer is right, wrong, no answer at all, or admits that there is none to give. A rule over words, which
//! anybody can apply by hand; it knows no model.

/// What an answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It holds a right answer.
    Right,
    /// It holds something else.
    Wrong,
    /// It says that the answer is not known, or that there is none.
    Abstained,
    /// It holds no letter and no digit.
    Ungraded,
}

impl Verdict {
    /// Whether it claims to be an answer.
    pub(super) fn is_answer(self) -> bool {
        matches!(self, Self::Right | Self::Wrong)
    }

    /// What it is worth if mistakes are penalised so that answering pays above a confidence of `target`.
    pub(super) fn score(self, target: f64) -> f64 {
        match self {
            Self::Right => 1.0,
            // not -0
            Self::Wrong => 0.0 - penalty(target),
            Self::Abstained | Self::Ungraded => 0.0,
        }
    }
}

/// What a mistake costs where a right answer is worth one point and answering pays above a confidence of `target`.
pub(super) fn penalty(target: f64) -> f64 {
    target / (1.0 - target)
}

/// Right answers and phrases that abstain, as words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    answers: Vec<Vec<String>>,
    abstaining: Vec<Vec<String>>,
}

impl Rule {
    /// The rule of an item; without `answers` nothing but abstaining is right.
    pub(super) fn new(answers: &[String], abstaining: &[String]) -> Self {
        let of = |texts: &[String]| texts.iter().map(|text| words(text)).filter(|words| !words.is_empty()).collect();
        Self { answers: of(answers), abstaining: of(abstaining) }
    }

    /// What an answer says: a phrase that abstains counts before a right answer.
    pub(super) fn judge(&self, answer: &str) -> Verdict {
        let said = words(answer);
        if said.is_empty() {
            Verdict::Ungraded
        } else if self.abstaining.iter().any(|phrase| holds(&said, phrase)) {
            Verdict::Abstained
        } else if self.answers.iter().any(|right| holds(&said, right)) {
            Verdict::Right
        } else {
            Verdict::Wrong
        }
    }

    /// Whether there is a right answer.
    pub(super) fn is_answerable(&self) -> bool {
        !self.answers.is_empty()
    }

    /// Whether this is the best that can be said: the right answer, or where there is none, that there is none.
    pub(super) fn is_correct(&self, verdict: Verdict) -> bool {
        match verdict {
            Verdict::Right => true,
            Verdict::Abstained => !self.is_answerable(),
            Verdict::Wrong | Verdict::Ungraded => false,
        }
    }
}

/// The words of a text in small letters: runs of letters and digits, without apostrophes in them and without articles.
pub(super) fn words(text: &str) -> Vec<String> {
    let is_apostrophe = |c: char| matches!(c, '\'' | '’' | '‘' | 'ʼ');
    let text: String = text.chars().filter(|c| !is_apostrophe(*c)).flat_map(char::to_lowercase).collect();
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.filter(|word| !["a", "an", "the"].contains(word)).map(str::to_owned).collect()
}

/// Whether words hold a phrase: its words one after the other.
pub(super) fn holds(words: &[String], phrase: &[String]) -> bool {
    !phrase.is_empty() && words.windows(phrase.len()).any(|window| window == phrase)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(answers: &[&str]) -> Rule {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        Rule::new(&owned(answers), &owned(&["I don't know", "there is no"]))
    }

    #[test]
    fn answers_are_judged_by_their_words() {
        let rule = rule(&["William Shakespeare", "Shakespeare"]);
        let cases = [
            ("William Shakespeare.", Verdict::Right),
            (" It was the bard, SHAKESPEARE!", Verdict::Right),
            ("Shakespeares", Verdict::Wrong),
            ("Francis Bacon", Verdict::Wrong),
            ("I don’t know.", Verdict::Abstained),
            ("i dont know", Verdict::Abstained),
            ("I don't know, perhaps Shakespeare", Verdict::Abstained),
            ("I do know", Verdict::Wrong),
            ("There is no such play", Verdict::Abstained),
            ("there is not", Verdict::Wrong),
            ("", Verdict::Ungraded),
            (" … --\n", Verdict::Ungraded),
            ("The", Verdict::Ungraded),
        ];
        for (answer, expected) in cases {
            assert_eq!(rule.judge(answer), expected, "{answer:?}");
        }
    }

    #[test]
    fn what_has_no_answer_is_right_only_without_one() {
        let (nothing, something) = (rule(&[]), rule(&["x"]));
        assert_eq!(nothing.judge("Paris"), Verdict::Wrong);
        for (verdict, correct) in [(Verdict::Abstained, true), (Verdict::Wrong, false), (Verdict::Ungraded, false)] {
            assert_eq!(nothing.is_correct(verdict), correct);
        }
        assert!(something.is_correct(Verdict::Right) && !something.is_correct(Verdict::Abstained));
        // an empty alias holds in nothing
        assert!(!rule(&["", "the"]).is_answerable());
    }

    #[test]
    fn penalised_scores_are_those_of_the_formula() {
        // t / (1 - t): 0, 1, 3, 9
        for (target, wrong) in [(0.0, 0.0), (0.5, -1.0), (0.75, -3.0), (0.9, -9.0)] {
            assert!((Verdict::Wrong.score(target) - wrong).abs() < 1e-12);
            assert!((Verdict::Right.score(target) - 1.0).abs() < 1e-12);
            assert!(Verdict::Abstained.score(target).abs() < 1e-12);
            // answering with a confidence of t is worth nothing: t - (1 - t) * t / (1 - t)
            let expected = target * Verdict::Right.score(target) + (1.0 - target) * Verdict::Wrong.score(target);
            assert!(expected.abs() < 1e-12);
        }
    }
}
