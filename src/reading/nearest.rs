//! What may have been meant.

/// The known name that takes the fewest changes of a letter to become from this one; the first of those that take as few.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known.into_iter().min_by_key(|known| strsim::damerau_levenshtein(name, known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fewest_changes_win_and_the_first_of_equals() {
        let known = ["save-session", "save-figures", "search"];
        let cases =
            [("save-sesion", "save-session"), ("serach", "search"), ("", "search"), ("save-figure", "save-figures")];
        for (name, expected) in cases {
            assert_eq!(nearest(name, known), Some(expected), "{name}");
        }
        assert_eq!(nearest("a", []), None);
    }
}
