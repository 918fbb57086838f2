//! Numbers as people read them beside an axis.

/// Three significant digits, without trailing zeros.
pub(super) fn short(value: f64) -> String {
    let size = value.abs();
    let decimals = match size {
        _ if !value.is_finite() => return value.to_string(),
        0.0 => return "0".into(),
        _ if !(1e-3..1e5).contains(&size) => return format!("{value:.1e}"),
        _ if size >= 100.0 => 0,
        _ if size >= 10.0 => 1,
        _ if size >= 0.1 => 2,
        _ if size >= 0.01 => 3,
        _ => 4,
    };
    let text = format!("{value:.decimals$}");
    if decimals == 0 { text } else { text.trim_end_matches('0').trim_end_matches('.').into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_are_enough() {
        let cases = [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (0.25, "0.25"),
            (-4.531, "-4.53"),
            (18.902, "18.9"),
            (120.4, "120"),
            (0.0123, "0.012"),
            (2.4e-6, "2.4e-6"),
            (1.5e7, "1.5e7"),
            (f64::NAN, "NaN"),
        ];
        for (value, text) in cases {
            assert_eq!(short(value), text);
        }
    }
}
