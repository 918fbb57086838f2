//! Two tokenisations side by side, for people who must make them equally long.

/// Tokens of the clean and of the corrupted prompt, one under the other where they agree at both ends.
pub(super) fn aligned(clean: &[String], corrupted: &[String]) -> String {
    let same = |pair: &(&String, &String)| pair.0 == pair.1;
    let front = clean.iter().zip(corrupted).take_while(same).count();
    let room = clean.len().min(corrupted.len()) - front;
    let back = clean.iter().rev().zip(corrupted.iter().rev()).take_while(same).count().min(room);
    let longer = clean.len().max(corrupted.len());
    let at = |tokens: &[String], column: usize| {
        let after = column + back >= longer;
        let index = if after { (column + tokens.len()).checked_sub(longer) } else { Some(column) };
        let index = index.filter(|&index| after || index + back < tokens.len());
        index.and_then(|index| tokens.get(index)).cloned().unwrap_or_default()
    };
    let mut lines = ["  clean    ".to_owned(), "  corrupted".to_owned()];
    for column in 0..longer {
        let pair = [at(clean, column), at(corrupted, column)];
        let width = pair.iter().map(|text| text.chars().count()).max().unwrap_or(0);
        for (line, text) in lines.iter_mut().zip(pair) {
            line.push_str(&format!(" {text:width$}"));
        }
    }
    lines.map(|line| line.trim_end().to_owned()).join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_agrees_stands_in_one_column() {
        let tokens = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let check = |clean, corrupted, expected: [&str; 2]| {
            assert_eq!(aligned(&tokens(clean), &tokens(corrupted)), expected.join("\n"));
        };
        check("a cat sat", "a do g sat", ["  clean     a cat   sat", "  corrupted a do  g sat"]);
        check("a a", "a a a", ["  clean     a a", "  corrupted a a a"]);
        check("x", "a b", ["  clean     x", "  corrupted a b"]);
    }
}
