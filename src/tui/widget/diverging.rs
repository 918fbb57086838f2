//! A bar to either side of a middle line.

use crate::tui::text::fit;

/// The two halves of a bar of `value` in a scale up to `reach`, each in exactly `columns` columns.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of some columns")]
pub(in crate::tui) fn halves(value: f64, reach: f64, columns: usize) -> (String, String) {
    let share = if reach > 0.0 { (value.abs() / reach).min(1.0) } else { 0.0 };
    let steps = (share * (columns * 2) as f64).round() as usize;
    let full = "█".repeat(steps / 2);
    let is_odd = steps % 2 == 1;
    if value < 0.0 {
        let bar = format!("{}{full}", if is_odd { "▐" } else { "" });
        let empty = columns.saturating_sub(steps.div_ceil(2));
        (format!("{}{bar}", " ".repeat(empty)), " ".repeat(columns))
    } else {
        (" ".repeat(columns), fit(&format!("{full}{}", if is_odd { "▌" } else { "" }), columns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_grows_from_the_middle() {
        let cases = [
            (1.0, ("    ", "██  ")),
            (-1.0, ("  ██", "    ")),
            (0.75, ("    ", "█▌  ")),
            (-0.75, ("  ▐█", "    ")),
            (9.0, ("    ", "████")),
            (0.0, ("    ", "    ")),
        ];
        for (value, (left, right)) in cases {
            assert_eq!(halves(value, 2.0, 4), (left.to_owned(), right.to_owned()), "{value}");
        }
        assert_eq!(halves(1.0, 0.0, 1), (" ".to_owned(), " ".to_owned()));
    }
}
