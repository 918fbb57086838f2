//! Reads the fields of a `config.json`, with errors that name field, value and expectation.

use serde_json::Value;

use super::rope::RopeSection;
use crate::model::{Activation, DecoderConfig, LayerMlp};

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

/// The largest size that a configuration can state.
const MAX_SIZE: usize = 1 << 28;

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
        let size = value.as_u64().and_then(|size| usize::try_from(size).ok());
        let size = size.filter(|size| (1..=MAX_SIZE).contains(size));
        size.ok_or_else(|| ConfigError::unsupported(field, value, format!("a whole number from 1 to {MAX_SIZE}")))
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
            "gelu" | "gelu_python" => Ok(Activation::Gelu),
            "gelu_new" | "gelu_fast" | "gelu_pytorch_tanh" | "gelu_python_tanh" | "gelu_accurate" => {
                Ok(Activation::GeluTanh)
            }
            "quick_gelu" => Ok(Activation::QuickGelu),
            "relu" => Ok(Activation::Relu),
            "relu2" => Ok(Activation::Relu2),
            _ => {
                let expected = "silu, gelu, gelu_new, gelu_fast, gelu_pytorch_tanh, quick_gelu, relu or relu2";
                Err(ConfigError::unsupported(field, name, expected))
            }
        }
    }

    /// A positive integer: `absent` where the field is missing, `null` where it is null.
    pub fn size_if_absent(&self, field: &str, absent: usize, null: usize) -> Result<usize, ConfigError> {
        self.size_or(field, Some(if self.json.get(field).is_none() { absent } else { null }))
    }

    /// A positive integer that may be null: `absent` where the field is missing.
    pub fn optional_size(&self, field: &str, absent: Option<usize>) -> Result<Option<usize>, ConfigError> {
        match self.json.get(field) {
            None => Ok(absent),
            Some(Value::Null) => Ok(None),
            Some(_) => self.size(field).map(Some),
        }
    }

    /// A positive number that may be null: `absent` where the field is missing.
    pub fn optional_number(&self, field: &str, absent: Option<f64>) -> Result<Option<f64>, ConfigError> {
        match self.json.get(field) {
            None => Ok(absent),
            Some(Value::Null) => Ok(None),
            Some(value) => {
                let positive = Some(self.number_or(field, 0.0)?).filter(|number| *number > 0.0);
                positive.map(Some).ok_or_else(|| ConfigError::unsupported(field, value, "a positive number or null"))
            }
        }
    }

    /// A positive number, or `default` where the field is absent.
    pub fn positive_or(&self, field: &str, default: f64) -> Result<f64, ConfigError> {
        let value = self.number_or(field, default)?;
        if value > 0.0 { Ok(value) } else { Err(ConfigError::unsupported(field, value, "a positive number")) }
    }

    /// A whole number that may be zero, or `default` where the field is absent.
    pub fn count_or(&self, field: &str, default: usize) -> Result<usize, ConfigError> {
        let Some(value) = self.get(field) else { return Ok(default) };
        let count = value.as_u64().and_then(|count| usize::try_from(count).ok());
        count.ok_or_else(|| ConfigError::unsupported(field, value, "a whole number"))
    }

    /// Refuses a switch that is on.
    pub fn refuse_if_set(&self, field: &str) -> Result<(), ConfigError> {
        match self.get(field) {
            Some(value) if value != &Value::Bool(false) => Err(ConfigError::unsupported(field, value, "false")),
            Some(_) | None => Ok(()),
        }
    }

    /// Marks the blocks that have a mixture of experts, as Qwen's configurations say it.
    pub fn sparse_layers(&self, cfg: &mut DecoderConfig) -> Result<(), ConfigError> {
        let step = self.size_or("decoder_sparse_step", Some(1))?;
        let dense = self.sizes("mlp_only_layers")?.unwrap_or_default();
        for (layer, axes) in cfg.layers.iter_mut().enumerate() {
            let sparse = (layer + 1).is_multiple_of(step) && !dense.contains(&layer);
            axes.mlp = if sparse { LayerMlp::Sparse } else { LayerMlp::Dense };
        }
        Ok(())
    }

    /// Whole numbers.
    pub fn sizes(&self, field: &str) -> Result<Option<Vec<usize>>, ConfigError> {
        let Some(value) = self.get(field) else { return Ok(None) };
        let whole = |value: &Value| value.as_u64().and_then(|size| usize::try_from(size).ok());
        let sizes = value.as_array().and_then(|values| values.iter().map(whole).collect::<Option<Vec<_>>>());
        sizes.map(Some).ok_or_else(|| ConfigError::unsupported(field, value, "a list of whole numbers"))
    }

    /// Which blocks `layer_types` gives a window, if it is there.
    pub fn layer_types(&self, n_layers: usize) -> Result<Option<Vec<bool>>, ConfigError> {
        const FIELD: &str = "layer_types";
        const EXPECTED: &str = "full_attention or sliding_attention for each layer";
        let Some(value) = self.get(FIELD) else { return Ok(None) };
        let is_local = |value: &Value| match value.as_str() {
            Some("full_attention") => Ok(false),
            Some("sliding_attention") => Ok(true),
            _ => Err(ConfigError::unsupported(FIELD, value, EXPECTED)),
        };
        let types =
            value.as_array().map(|types| types.iter().map(is_local).collect::<Result<Vec<_>, _>>()).transpose()?;
        match types {
            Some(types) if types.len() == n_layers => Ok(Some(types)),
            Some(types) => Err(ConfigError::unsupported(
                FIELD,
                format!("{} entries long", types.len()),
                format!("{n_layers} entries"),
            )),
            None => Err(ConfigError::unsupported(FIELD, value, EXPECTED)),
        }
    }

    /// What says how positions rotate: `rope_scaling` of transformers 4 or `rope_parameters` of 5.
    pub fn rope_section<'b>(&'b self, theta: &'b str, share: &'b str) -> RopeSection<'b> {
        let filled = |field: &'static str| {
            self.get(field)
                .filter(|value| value.as_object().is_some_and(|map| !map.is_empty()))
                .map(|value| (field, value))
        };
        let (field, section) =
            filled("rope_scaling").or_else(|| filled("rope_parameters")).unwrap_or(("rope_parameters", &Value::Null));
        RopeSection::new(self, (field, section), theta, share)
    }
}

pub(super) fn number(value: Option<&Value>, field: &str, default: f64) -> Result<f64, ConfigError> {
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
    fn unsupported_values_are_refused_by_name() {
        let json = json!({"n": -3, "act": "mish", "cap": 0.0, "layer_types": ["full_attention", "chunked_attention"]});
        let reader = ConfigReader::new(&json);
        let field = |error| match error {
            ConfigError::Missing { field } | ConfigError::Unsupported { field, .. } => field,
        };
        assert_eq!(reader.size("n").map_err(field), Err("n".into()));
        assert_eq!(reader.size("absent").map_err(field), Err("absent".into()));
        assert_eq!(reader.activation("act", "silu").map_err(field), Err("act".into()));
        assert_eq!(reader.optional_number("cap", None).map_err(field), Err("cap".into()));
        assert_eq!(reader.layer_types(2).map_err(field), Err("layer_types".into()));
    }

    #[test]
    fn an_absent_field_is_not_a_null_one() {
        let json = json!({"null": null, "seven": 7});
        let reader = ConfigReader::new(&json);
        let sizes = ["absent", "null", "seven"].map(|field| reader.size_if_absent(field, 1, 2).unwrap());
        assert_eq!(sizes, [1, 2, 7]);
        let windows = ["absent", "null", "seven"].map(|field| reader.optional_size(field, Some(4)).unwrap());
        assert_eq!(windows, [Some(4), None, Some(7)]);
    }
}
