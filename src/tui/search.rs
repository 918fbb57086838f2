//! Finding a text among the tokens of the prompt and the rows of a view. It knows neither: it is given their texts.

/// Where a text was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A token of the prompt.
    Token(usize),
    /// A row of the view.
    Row(usize),
}

/// What is searched: the tokens of the prompt, then the rows of the view.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Haystack {
    /// The tokens, as people see them.
    pub tokens: Vec<String>,
    /// The rows, in the order of the view's cursor.
    pub rows: Vec<String>,
    /// What the view is called.
    pub view: &'static str,
}

/// What was searched for last, and which of what was found is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// The text.
    pub text: String,
    /// Counted from the first that was found.
    pub nth: usize,
}

impl Haystack {
    /// Everything that contains the text; nothing contains an empty one.
    pub fn find(&self, text: &str) -> Vec<Found> {
        let text = plain(text);
        if text.is_empty() {
            return Vec::new();
        }
        let holds = |(_, candidate): &(usize, &String)| plain(candidate).contains(&text);
        let tokens = self.tokens.iter().enumerate().filter(holds).map(|(at, _)| Found::Token(at));
        let rows = self.rows.iter().enumerate().filter(holds).map(|(at, _)| Found::Row(at));
        tokens.chain(rows).collect()
    }

    /// The text of what was found.
    pub fn text(&self, found: Found) -> &str {
        let text = match found {
            Found::Token(at) => self.tokens.get(at),
            Found::Row(at) => self.rows.get(at),
        };
        text.map_or("", String::as_str)
    }

    /// Where it was found, in words.
    pub fn place(&self, found: Found) -> String {
        match found {
            Found::Token(at) => format!("token {at}"),
            Found::Row(at) => format!("{} row {}", self.view, at + 1),
        }
    }
}

/// A text as it is compared: small letters, and spaces as they are typed.
fn plain(text: &str) -> String {
    text.replace('␣', " ").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_before_rows_and_case_does_not_matter() {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        let haystack =
            Haystack { tokens: texts(&["The", "␣cat"]), rows: texts(&["␣Cat", "a", "the"]), view: "Step" };
        assert_eq!(haystack.find("CAT"), [Found::Token(1), Found::Row(0)]);
        assert_eq!(haystack.find(" cat"), haystack.find("␣cat"));
        assert_eq!(haystack.find("the"), [Found::Token(0), Found::Row(2)]);
        assert!(haystack.find("").is_empty() && haystack.find("dog").is_empty());
        assert_eq!((haystack.text(Found::Row(0)), haystack.place(Found::Row(0)).as_str()), ("␣Cat", "Step row 1"));
    }
}
