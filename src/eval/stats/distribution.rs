//! The normal distribution and Student's t.

/// How often an interval is halved: more than the digits of an f64.
const HALVINGS: usize = 80;

/// The probability that a standard normal number is at most `z`.
///
/// The series of Marsaglia 2004, whose terms are all of one sign.
pub fn normal_cdf(z: f64) -> f64 {
    if z.abs() > 9.0 {
        return if z > 0.0 { 1.0 } else { 0.0 };
    }
    let (mut term, mut sum, mut odd) = (z, 0.0_f64, 1.0);
    while term.abs() > f64::EPSILON * sum.abs() {
        sum += term;
        odd += 2.0;
        term *= z * z / odd;
    }
    let density = (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    (0.5 + density * sum).clamp(0.0, 1.0)
}

/// The number that a standard normal one is at most with probability `p`.
pub fn normal_quantile(p: f64) -> f64 {
    if p <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if p >= 1.0 {
        return f64::INFINITY;
    }
    root(-9.0, 9.0, |z| normal_cdf(z) < p)
}

/// The number that Student's t with `degrees` of freedom is at most with probability `p`, at least one half.
///
/// The finite sums of Abramowitz and Stegun, 26.7.3 and 26.7.4.
pub fn t_quantile(p: f64, degrees: usize) -> f64 {
    if degrees == 0 || p >= 1.0 {
        return f64::INFINITY;
    }
    // the angle whose tangent is t over the root of the degrees
    let angle = root(0.0, std::f64::consts::FRAC_PI_2, |angle| 0.5 + t_within(angle, degrees) / 2.0 < p);
    angle.tan() * (degrees as f64).sqrt()
}

/// The probability that |t| is at most what the angle stands for.
fn t_within(angle: f64, degrees: usize) -> f64 {
    let (sin, cos) = angle.sin_cos();
    let is_odd = degrees % 2 == 1;
    let (mut term, mut sum) = if is_odd { (cos, 0.0) } else { (1.0, 0.0) };
    let mut at = usize::from(is_odd);
    while at + 2 <= degrees {
        sum += term;
        at += 2;
        term *= cos * cos * (at - 1) as f64 / at as f64;
    }
    if is_odd { (angle + sin * sum) * std::f64::consts::FRAC_2_PI } else { sin * sum }
}

/// Where `is_left` turns false between `low` and `high`.
pub(super) fn root(mut low: f64, mut high: f64, is_left: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if is_left(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_distribution_is_that_of_the_tables() {
        for (z, p) in
            [(0.0, 0.5), (1.0, 0.841_344_746_068_543), (-1.959_963_984_540_054, 0.025), (3.0, 0.998_650_101_968_370)]
        {
            assert!((normal_cdf(z) - p).abs() < 1e-14, "{z} {}", normal_cdf(z));
            assert!((normal_quantile(p) - z).abs() < 1e-11, "{p} {}", normal_quantile(p));
        }
        assert_eq!((normal_cdf(40.0), normal_cdf(-40.0)), (1.0, 0.0));
        assert_eq!((normal_quantile(0.0), normal_quantile(1.0)), (f64::NEG_INFINITY, f64::INFINITY));
    }

    #[test]
    fn student_t_is_that_of_the_tables() {
        let cases = [
            (0.975, 1, 12.706_204_736_4),
            (0.975, 2, 4.302_652_729_7),
            (0.975, 3, 3.182_446_305_3),
            (0.975, 4, 2.776_445_105_2),
            (0.95, 9, 1.833_112_932_7),
            (0.975, 30, 2.042_272_456_3),
            (0.995, 1000, 2.580_754_697_6),
        ];
        for (p, degrees, t) in cases {
            assert!((t_quantile(p, degrees) - t).abs() < 1e-8 * t, "{p} {degrees} {}", t_quantile(p, degrees));
        }
        assert!(t_quantile(0.975, 0).is_infinite());
    }
}
