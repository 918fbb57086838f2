//! Numbers as people read them beside an axis.

/// Three significant digits, without trailing zeros.
pub(in crate::export) fn short(value: f64) -> String {
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

/// Round numbers that enclose a range, four to ten of them, from the lowest.
pub(in crate::export) fn ticks(low: f64, high: f64) -> Vec<f64> {
    let (low, high) = match (low.is_finite(), high.is_finite()) {
        (true, true) if low < high => (low, high),
        (true, _) => (low - 0.5, low + 0.5),
        _ => (0.0, 1.0),
    };
    let rough = (high - low) / 5.0;
    let size = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|times| times * size).find(|step| *step >= rough).unwrap_or(rough);
    let (first, last) = ((low / step + 1e-9).floor(), (high / step - 1e-9).ceil());
    // a range so far from zero that a step is lost in it has its ends alone
    if !(1.0..=20.0).contains(&(last - first)) {
        return vec![low, high];
    }
    std::iter::successors(Some(first), |at| (*at < last).then_some(at + 1.0)).map(|at| at * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_enclose() {
        let near = |found: &[f64], expected: &[f64]| {
            found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9)
        };
        for (low, high, expected) in [
            (0.0, 1.0, &[0.0, 0.2, 0.4, 0.6, 0.8, 1.0][..]),
            (0.061, 0.91, &[0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
            (-3.0, 12.0, &[-5.0, 0.0, 5.0, 10.0, 15.0]),
            (0.0, 2000.0, &[0.0, 500.0, 1000.0, 1500.0, 2000.0]),
            (4.0, 4.0, &[3.4, 3.6, 3.8, 4.0, 4.2, 4.4, 4.6]),
        ] {
            let found = ticks(low, high);
            assert!(near(&found, expected), "{found:?}");
        }
        for (low, high) in
            [(f64::NAN, 1.0), (0.0, f64::INFINITY), (1e300, 1.1e300), (1e15, 1e15 + 1.0), (-1e-12, 1e-12)]
        {
            let found = ticks(low, high);
            assert!(found.len() >= 2 && found.iter().all(|tick| tick.is_finite()), "{low} {high} {found:?}");
        }
    }

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
