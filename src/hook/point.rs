//! One place in one decoder, and its `TransformerLens` name.

use std::fmt;
use std::str::FromStr;

use super::{Scope, Site};

/// A name that is not a hook.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No site has this name.
    #[error("`{found}` is not a hook name")]
    Unknown {
        /// What was typed.
        found: String,
        /// The nearest existing name.
        nearest: String,
    },
    /// The layer part is not a number, a range or `*`.
    #[error("`{found}` is not a layer in `{name}` (expected a number, a range such as 3-5, or *)")]
    Layer {
        /// The layer part.
        found: String,
        /// The whole name.
        name: String,
    },
    /// The pattern is well formed but this model has no such hook.
    #[error("`{pattern}` matches no hook of this model")]
    NoMatch {
        /// The pattern typed.
        pattern: String,
    },
}

impl Error {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { nearest, .. } => Some(format!("did you mean `{nearest}`? `lmscope hooks` lists them all")),
            Self::Layer { .. } => {
                Some("for example `blocks.*.attn.hook_pattern` or `blocks.3-5.hook_resid_post`".into())
            }
            Self::NoMatch { .. } => Some("`lmscope hooks` lists the hooks of a model".into()),
        }
    }
}

/// A site, and the layer it is in where the site is per block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HookPoint {
    layer: Option<usize>,
    site: Site,
}

impl HookPoint {
    /// A place that exists once in the model.
    pub const fn model(site: Site) -> Self {
        Self { layer: None, site }
    }

    /// A place in block `layer` (0-based).
    pub const fn block(layer: usize, site: Site) -> Self {
        Self { layer: Some(layer), site }
    }

    /// The layer, or `None` for a place that exists once in the model.
    pub const fn layer(self) -> Option<usize> {
        self.layer
    }

    /// The kind of place.
    pub const fn site(self) -> Site {
        self.site
    }
}

impl fmt::Display for HookPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.layer {
            Some(layer) => write!(f, "blocks.{layer}.{}", self.site),
            None => write!(f, "{}", self.site),
        }
    }
}

impl FromStr for HookPoint {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let (layer, rest) = split_layer(name);
        let scope = if layer.is_some() { Scope::Block } else { Scope::Model };
        let site = find_site(rest, scope).ok_or_else(|| unknown(name))?;
        match layer {
            None => Ok(Self::model(site)),
            Some(text) => match text.parse() {
                Ok(layer) => Ok(Self::block(layer, site)),
                Err(_) => Err(Error::Layer { found: text.into(), name: name.into() }),
            },
        }
    }
}

/// Splits `blocks.3.attn.hook_q` into `(Some("3"), "attn.hook_q")`.
pub(super) fn split_layer(name: &str) -> (Option<&str>, &str) {
    match name.strip_prefix("blocks.").and_then(|rest| rest.split_once('.')) {
        Some((layer, site)) => (Some(layer), site),
        None => (None, name),
    }
}

/// The site of this name in this scope.
pub(super) fn find_site(name: &str, scope: Scope) -> Option<Site> {
    Site::ALL.iter().copied().find(|site| site.name() == name && site.scope() == scope)
}

/// An error for `name` that suggests the nearest existing name.
pub(super) fn unknown(name: &str) -> Error {
    let (layer, _) = split_layer(name);
    let layer = layer.unwrap_or("0");
    let nearest = Site::ALL
        .iter()
        .map(|site| match site.scope() {
            Scope::Model => site.name().to_owned(),
            Scope::Block => format!("blocks.{layer}.{site}"),
        })
        .max_by(|a, b| {
            let likeness = |candidate: &str| strsim::normalized_damerau_levenshtein(candidate, name);
            likeness(a).total_cmp(&likeness(b))
        })
        .unwrap_or_default();
    Error::Unknown { found: name.into(), nearest }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_site_round_trips_through_its_name() {
        for &site in Site::ALL {
            let point = match site.scope() {
                Scope::Model => HookPoint::model(site),
                Scope::Block => HookPoint::block(7, site),
            };
            assert_eq!(point.to_string().parse(), Ok(point));
        }
    }

    #[test]
    fn a_typo_is_an_error_with_the_nearest_name() {
        let error = "blocks.2.attn.hook_scores".parse::<HookPoint>().unwrap_err();
        assert_eq!(
            error,
            Error::Unknown {
                found: "blocks.2.attn.hook_scores".into(),
                nearest: "blocks.2.attn.hook_attn_scores".into()
            }
        );
        assert!(matches!("blocks.x.attn.hook_q".parse::<HookPoint>(), Err(Error::Layer { .. })));
        assert!(matches!("hook_resid_pre".parse::<HookPoint>(), Err(Error::Unknown { .. })));
        assert!(matches!("blocks.0.hook_embed".parse::<HookPoint>(), Err(Error::Unknown { .. })));
    }
}
