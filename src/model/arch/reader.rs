//! Reads the fields of a `config.json`, with errors that name field, value and expectation.

use serde_json::Value;

use crate::model::{Activation, RopeScaling};

/// A configuration that cannot be honoured.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// A field is missing.
    #[error("field `{field}` is missing")]
    Missing {
        /// The field.
        field: String,
    },
    /// A field has a value that this architecture's decoder does not compute.
    #[error("field `{field}` is {found}, expected {expected}")]
    Unsupported {
        /// The field.
        field: String,
        /// Its value.
        found: String,
        /// What would be accepted.
        expected: String,
    },
}

impl ConfigError {
    /// An unsupported value.
    pub fn unsupported(field: &str, found: impl ToString, expected: impl Into<String>) -> Self {
        Self::Unsupported { field: field.into(), found: found.to_string(), expected: expected.into() }
    }
}

/// The fields of a `config.json`.
pub struct ConfigReader<'a> {
    json: &'a Value,
}

impl<'a> ConfigReader<'a> {
    /// Reads from a parsed `config.json`.
    pub const fn new(json: &'a Value) -> Self {
        Self { json }
    }

    /// A field's value; `null` counts as absent.
    pub fn get(&self, field: &str) -> Option<&'a Value> {
        self.json.get(field).filter(|value| !value.is_null())
    }

    /// A positive integer.
    pub fn size(&self, field: &str) -> Result<usize, ConfigError> {
        self.size_or(field, None)
    }

    /// A positive integer, or `default` where the field is absent.
    pub fn size_or(&self, field: &str, default: Option<usize>) -> Result<usize, ConfigError> {
        let Some(value) = self.get(field) else {
            return default.ok_or_else(|| ConfigError::Missing { field: field.into() });
        };
        let size =
            value.as_u64().and_then(|size| usize::try_from(size).ok()).filter(|&size| size > 0 && size <= 1 << 28);
        size.ok_or_else(|| ConfigError::unsupported(field, value, "a positive integer"))
    }

    /// A number, or `default` where the field is absent.
    pub fn number_or(&self, field: &str, default: f64) -> Result<f64, ConfigError> {
        number(self.get(field), field, default)
    }

    /// A truth value, or `default` where the field is absent.
    pub fn bool_or(&self, field: &str, default: bool) -> Result<bool, ConfigError> {
        match self.get(field) {
            None => Ok(default),
            Some(value) => value.as_bool().ok_or_else(|| ConfigError::unsupported(field, value, "true or false")),
        }
    }

    /// Refuses a field whose value is not the one the decoder computes.
    pub fn require(&self, field: &str, expected: &Value) -> Result<(), ConfigError> {
        match self.get(field) {
            Some(value) if value != expected => Err(ConfigError::unsupported(field, value, expected.to_string())),
            _ => Ok(()),
        }
    }

    /// The MLP's nonlinearity, or `default` where the field is absent.
    pub fn activation(&self, field: &str, default: &str) -> Result<Activation, ConfigError> {
        let name = self.get(field).map_or(Some(default), Value::as_str).unwrap_or_default();
        match name {
            "silu" | "swish" => Ok(Activation::Silu),
            "gelu" => Ok(Activation::Gelu),
            "gelu_new" | "gelu_fast" | "gelu_pytorch_tanh" => Ok(Activation::GeluTanh),
            "relu" => Ok(Activation::Relu),
            _ => {
                Err(ConfigError::unsupported(field, name, "silu, gelu, gelu_new, gelu_fast, gelu_pytorch_tanh or relu"))
            }
        }
    }

    /// The rotary base and scaling, as transformers 5 (`rope_parameters`) or 4 (`rope_theta`, `rope_scaling`) wrote it.
    pub fn rope(&self, theta_field: &str) -> Result<(f64, RopeScaling), ConfigError> {
        let (field, section) = match self.get("rope_parameters") {
            Some(section) => ("rope_parameters", Some(section)),
            None => ("rope_scaling", self.get("rope_scaling")),
        };
        let nested = Self::new(section.unwrap_or(&Value::Null));
        let theta = match nested.get("rope_theta") {
            Some(_) => nested.number_or("rope_theta", 10_000.0)?,
            None => self.number_or(theta_field, 10_000.0)?,
        };
        if theta.is_nan() || theta <= 0.0 {
            return Err(ConfigError::unsupported(theta_field, theta, "a positive number"));
        }
        Ok((theta, nested.rope_scaling(field)?))
    }

    fn rope_scaling(&self, section: &str) -> Result<RopeScaling, ConfigError> {
        let kind = self.get("rope_type").or_else(|| self.get("type"));
        let needed = |field: &str| match self.get(field) {
            Some(value) => number(Some(value), &format!("{section}.{field}"), 0.0),
            None => Err(ConfigError::Missing { field: format!("{section}.{field}") }),
        };
        match kind.map_or(Some("default"), Value::as_str) {
            Some("default") => Ok(RopeScaling::Default),
            Some("linear") => Ok(RopeScaling::Linear { factor: needed("factor")? }),
            Some("llama3") => Ok(RopeScaling::Llama3 {
                factor: needed("factor")?,
                low_freq_factor: needed("low_freq_factor")?,
                high_freq_factor: needed("high_freq_factor")?,
                original_n_ctx: needed("original_max_position_embeddings")?,
            }),
            _ => {
                let found = kind.map(ToString::to_string).unwrap_or_default();
                Err(ConfigError::unsupported(&format!("{section}.rope_type"), found, "default, linear or llama3"))
            }
        }
    }

    /// The share of each head that is rotated.
    pub fn rotary_fraction(&self, old_field: &str, default: f64) -> Result<f64, ConfigError> {
        let nested = self.get("rope_parameters").and_then(|section| section.get("partial_rotary_factor"));
        match nested {
            Some(value) => number(Some(value), "rope_parameters.partial_rotary_factor", default),
            None => self.number_or(old_field, default),
        }
    }
}

fn number(value: Option<&Value>, field: &str, default: f64) -> Result<f64, ConfigError> {
    match value {
        None => Ok(default),
        Some(value) => {
            let finite = value.as_f64().filter(|number| number.is_finite());
            finite.ok_or_else(|| ConfigError::unsupported(field, value, "a number"))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rope_is_read_from_both_generations_of_configs() {
        let old = json!({"rope_theta": 500.0, "rope_scaling": {"type": "linear", "factor": 2.0}});
        let new = json!({"rope_parameters": {"rope_theta": 500.0, "rope_type": "linear", "factor": 2.0}});
        for json in [old, new] {
            let rope = ConfigReader::new(&json).rope("rope_theta");
            assert_eq!(rope, Ok((500.0, RopeScaling::Linear { factor: 2.0 })), "{json}");
        }
        assert_eq!(ConfigReader::new(&json!({})).rope("rope_theta"), Ok((10_000.0, RopeScaling::Default)));
    }

    #[test]
    fn unsupported_values_are_refused_by_name() {
        let json = json!({"rope_scaling": {"rope_type": "yarn"}, "n": -3, "act": "mish"});
        let reader = ConfigReader::new(&json);
        let field = |error| match error {
            ConfigError::Missing { field } | ConfigError::Unsupported { field, .. } => field,
        };
        assert_eq!(reader.rope("rope_theta").map_err(field), Err("rope_scaling.rope_type".into()));
        assert_eq!(reader.size("n").map_err(field), Err("n".into()));
        assert_eq!(reader.size("absent").map_err(field), Err("absent".into()));
        assert_eq!(reader.activation("act", "silu").map_err(field), Err("act".into()));
    }
}
