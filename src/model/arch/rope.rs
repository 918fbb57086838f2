//! Reads how positions rotate, as both generations of configurations say it.

use serde_json::Value;

use super::reader::{ConfigError, ConfigReader, number};
use crate::model::RopeScaling;

/// The fields about rotation.
pub struct RopeSection<'a> {
    /// The whole configuration.
    outer: &'a ConfigReader<'a>,
    /// `rope_scaling` or `rope_parameters`.
    field: &'a str,
    inner: ConfigReader<'a>,
    /// Where older configurations have the base and the rotated share.
    theta: &'a str,
    share: &'a str,
}

impl<'a> RopeSection<'a> {
    /// The section of this name; `theta` and `share` are where older configurations have the base and the share.
    pub fn new(
        outer: &'a ConfigReader<'a>,
        (field, section): (&'a str, &'a Value),
        theta: &'a str,
        share: &'a str,
    ) -> Self {
        Self { outer, field, inner: ConfigReader::new(section), theta, share }
    }

    fn named(&self, field: &str) -> String {
        format!("{}.{field}", self.field)
    }

    /// A number of the section.
    fn optional(&self, field: &str) -> Result<Option<f64>, ConfigError> {
        self.inner.get(field).map(|value| number(Some(value), &self.named(field), 0.0)).transpose()
    }

    /// A positive number of the section.
    fn positive(&self, field: &str) -> Result<f64, ConfigError> {
        match self.optional(field)? {
            Some(value) if value > 0.0 => Ok(value),
            Some(value) => Err(ConfigError::unsupported(&self.named(field), value, "a positive number")),
            None => Err(ConfigError::Missing { field: self.named(field) }),
        }
    }

    /// The name of the scaling.
    pub fn kind(&self) -> Option<&str> {
        self.inner.get("rope_type").or_else(|| self.inner.get("type")).and_then(Value::as_str)
    }

    /// The base of the frequencies.
    pub fn theta(&self, default: f64) -> Result<f64, ConfigError> {
        let theta = match self.optional("rope_theta")? {
            Some(theta) => theta,
            None => self.outer.number_or(self.theta, default)?,
        };
        if theta > 0.0 { Ok(theta) } else { Err(ConfigError::unsupported(self.theta, theta, "a positive number")) }
    }

    fn share(&self) -> Result<Option<f64>, ConfigError> {
        match self.optional("partial_rotary_factor")? {
            Some(share) => Ok(Some(share)),
            None => self.outer.get(self.share).map(|_| self.outer.number_or(self.share, 1.0)).transpose(),
        }
    }

    /// Refuses a share of the head: the reference of this architecture rotates all of it.
    pub fn require_whole(&self) -> Result<(), ConfigError> {
        match self.share()? {
            Some(share) if (share - 1.0).abs() > 1e-9 => Err(ConfigError::unsupported(self.share, share, "1")),
            Some(_) | None => Ok(()),
        }
    }

    /// How many dimensions of a head are rotated.
    pub fn n_rot(&self, d_head: usize, default: f64) -> Result<usize, ConfigError> {
        let share = self.share()?.unwrap_or(default);
        if !(0.0..=1.0).contains(&share) {
            return Err(ConfigError::unsupported(self.share, share, "a share between 0 and 1"));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the share is between 0 and 1")]
        Ok((d_head as f64 * share) as usize)
    }

    /// The context before scaling: the configuration's own field, then the section's, then all of the context.
    fn original_n_ctx(&self, n_ctx: usize) -> Result<usize, ConfigError> {
        const FIELD: &str = "original_max_position_embeddings";
        match self.outer.get(FIELD) {
            Some(_) => self.outer.size(FIELD),
            None => self.inner.size_or(FIELD, Some(n_ctx)),
        }
    }

    /// The change of the frequencies.
    pub fn scaling(&self, theta: f64, n_rot: usize, n_ctx: usize) -> Result<RopeScaling, ConfigError> {
        let kind = self.inner.get("rope_type").or_else(|| self.inner.get("type"));
        match kind.map_or(Some("default"), Value::as_str) {
            Some("default") => Ok(RopeScaling::Default),
            Some("linear") => Ok(RopeScaling::Linear { factor: self.positive("factor")? }),
            Some("dynamic") => {
                Ok(RopeScaling::Dynamic { factor: self.positive("factor")?, original_n_ctx: n_ctx as f64 })
            }
            Some("llama3") => Ok(RopeScaling::Llama3 {
                factor: self.positive("factor")?,
                low_freq_factor: self.positive("low_freq_factor")?,
                high_freq_factor: self.positive("high_freq_factor")?,
                original_n_ctx: self.original_n_ctx(n_ctx)? as f64,
            }),
            Some("yarn") => self.yarn(theta, n_rot, n_ctx),
            Some("longrope") => self.longrope(n_rot, n_ctx, self.original_n_ctx(n_ctx)?),
            _ => {
                let found = kind.map(ToString::to_string).unwrap_or_default();
                let expected = "default, linear, dynamic, llama3, yarn or longrope";
                Err(ConfigError::unsupported(&self.named("rope_type"), found, expected))
            }
        }
    }

    /// Peng et al. 2023, arXiv:2309.00071, as transformers computes it.
    fn yarn(&self, theta: f64, n_rot: usize, n_ctx: usize) -> Result<RopeScaling, ConfigError> {
        let original = self.original_n_ctx(n_ctx)? as f64;
        let factor = self.optional("factor")?.unwrap_or(n_ctx as f64 / original);
        let grown = |mscale: f64| if factor <= 1.0 { 1.0 } else { 0.1 * mscale * factor.ln() + 1.0 };
        let nonzero = |field| Ok::<_, ConfigError>(self.optional(field)?.filter(|value| *value != 0.0));
        let attention_factor =
            match (self.optional("attention_factor")?, nonzero("mscale")?, nonzero("mscale_all_dim")?) {
                (Some(given), ..) => given,
                (None, Some(mscale), Some(all_dim)) => grown(mscale) / grown(all_dim),
                (None, ..) => grown(1.0),
            };
        let beta = |field, default| Ok::<_, ConfigError>(nonzero(field)?.unwrap_or(default));
        let dim = |turns: f64| yarn_dimension(turns, (theta, n_rot), original);
        let (mut first, mut last) = (dim(beta("beta_fast", 32.0)?), dim(beta("beta_slow", 1.0)?));
        if self.inner.bool_or("truncate", true)? {
            (first, last) = (first.floor(), last.ceil());
        }
        Ok(RopeScaling::Yarn { factor, ramp: yarn_ramp(first, last, n_rot), attention_factor })
    }

    /// Ding et al. 2024, arXiv:2402.13753, as transformers computes it.
    pub fn longrope(&self, n_rot: usize, n_ctx: usize, original_n_ctx: usize) -> Result<RopeScaling, ConfigError> {
        let factor = self.optional("factor")?.unwrap_or(n_ctx as f64 / original_n_ctx as f64);
        let attention_factor = match self.optional("attention_factor")? {
            Some(given) => given,
            None if factor <= 1.0 => 1.0,
            None => (1.0 + factor.ln() / (original_n_ctx as f64).ln()).sqrt(),
        };
        let (short, long) = (self.divisors("short_factor", n_rot)?, self.divisors("long_factor", n_rot)?);
        Ok(RopeScaling::LongRope { short, long, original_n_ctx, attention_factor })
    }

    fn divisors(&self, field: &str, n_rot: usize) -> Result<Vec<f64>, ConfigError> {
        let value = self.inner.get(field).ok_or_else(|| ConfigError::Missing { field: self.named(field) })?;
        let positive = |value: &Value| value.as_f64().filter(|divisor| divisor.is_finite() && *divisor > 0.0);
        let divisors = value.as_array().and_then(|all| all.iter().map(positive).collect::<Option<Vec<_>>>());
        let expected = || format!("{} positive numbers", n_rot / 2);
        let divisors = divisors.filter(|divisors| divisors.len() == n_rot / 2);
        divisors.ok_or_else(|| ConfigError::unsupported(&self.named(field), value, expected()))
    }
}

/// The pair of dimensions that turns this often in the original context; `rope` is its base and the dimensions it has.
pub(super) fn yarn_dimension(turns: f64, rope: (f64, usize), original_n_ctx: f64) -> f64 {
    let (theta, n_rot) = rope;
    n_rot as f64 * (original_n_ctx / (turns * std::f64::consts::TAU)).ln() / (2.0 * theta.ln())
}

/// The first and last dimension of `YaRN`'s ramp, kept within the head and apart.
pub(super) fn yarn_ramp(first: f64, last: f64, n_rot: usize) -> (f64, f64) {
    let (first, last) = (first.max(0.0), last.min(n_rot as f64 - 1.0));
    if (last - first).abs() < f64::EPSILON { (first, last + 0.001) } else { (first, last) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rope_is_read_from_both_generations_of_configs() {
        let old = json!({"rope_theta": 500.0, "rope_scaling": {"type": "linear", "factor": 2.0}});
        let new = json!({"rope_parameters": {"rope_theta": 500.0, "rope_type": "linear", "factor": 2.0}});
        let read = |json: &Value| {
            let reader = ConfigReader::new(json);
            let section = reader.rope_section("rope_theta", "partial_rotary_factor");
            let theta = section.theta(10_000.0)?;
            Ok::<_, ConfigError>((theta, section.scaling(theta, 8, 64)?))
        };
        for json in [old, new] {
            assert_eq!(read(&json), Ok((500.0, RopeScaling::Linear { factor: 2.0 })), "{json}");
        }
        assert_eq!(read(&json!({})), Ok((10_000.0, RopeScaling::Default)));
        let unknown = read(&json!({"rope_scaling": {"rope_type": "su"}})).unwrap_err().to_string();
        assert!(unknown.starts_with("field `rope_scaling.rope_type` is \"su\""), "{unknown}");
    }
}
