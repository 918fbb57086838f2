//! Where paths end: `L8H2.q`, `L5.mlp`, or the logits.

use std::fmt;
use std::str::FromStr;

use super::PatchError;
use crate::hook::{HookPoint, Site};
use crate::model::DecoderConfig;

/// What of a block receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// The queries of a head.
    Q(usize),
    /// The keys of a key/value head.
    K(usize),
    /// The values of a key/value head.
    V(usize),
    /// The MLP.
    Mlp,
}

/// One place where paths end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receiver {
    /// The block.
    pub layer: usize,
    /// What of it.
    pub input: Input,
}

impl Receiver {
    /// The hook at which what reaches it is seen; an MLP's input is known by what comes out.
    pub(super) const fn hook(self) -> HookPoint {
        let site = match self.input {
            Input::Q(_) => Site::Q,
            Input::K(_) => Site::K,
            Input::V(_) => Site::V,
            Input::Mlp => Site::MlpOut,
        };
        HookPoint::block(self.layer, site)
    }

    /// The head of the hook's tensor.
    pub(super) const fn head(self) -> Option<usize> {
        match self.input {
            Input::Q(head) | Input::K(head) | Input::V(head) => Some(head),
            Input::Mlp => None,
        }
    }
}

/// Where paths end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receivers {
    /// The logits.
    Logits,
    /// Parts of blocks, together.
    Parts(Vec<Receiver>),
}

impl Receivers {
    pub(super) fn parts(&self) -> &[Receiver] {
        match self {
            Self::Logits => &[],
            Self::Parts(parts) => parts,
        }
    }

    pub(super) fn sites(&self) -> impl Iterator<Item = Site> {
        self.parts().iter().map(|part| part.hook().site())
    }

    /// The last layer that receives; none where the logits do.
    pub(super) fn last_layer(&self) -> Option<usize> {
        self.parts().iter().map(|part| part.layer).max()
    }

    /// Whether the MLP of a layer receives.
    pub(super) fn has_mlp_of(&self, layer: usize) -> bool {
        self.parts().contains(&Receiver { layer, input: Input::Mlp })
    }

    /// The first layer that receives.
    pub(super) fn first_layer(&self) -> Option<usize> {
        self.parts().iter().map(|part| part.layer).min()
    }

    /// Refuses parts that the model does not have.
    pub(super) fn check(&self, cfg: &DecoderConfig) -> Result<(), PatchError> {
        for part in self.parts() {
            let n = match part.input {
                Input::Q(_) => cfg.n_heads,
                Input::K(_) | Input::V(_) => cfg.n_kv_heads,
                Input::Mlp => 1,
            };
            if part.layer >= cfg.n_layers || part.head().is_some_and(|head| head >= n) {
                return Err(PatchError::NoReceiver { found: part.to_string(), n_layers: cfg.n_layers, n_heads: n });
            }
        }
        Ok(())
    }
}

impl fmt::Display for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "L{}", self.layer)?;
        match self.input {
            Input::Q(head) => write!(f, "H{head}.q"),
            Input::K(head) => write!(f, "H{head}.k"),
            Input::V(head) => write!(f, "H{head}.v"),
            Input::Mlp => f.write_str(".mlp"),
        }
    }
}

impl fmt::Display for Receivers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Logits => f.write_str("logits"),
            Self::Parts(parts) => f.write_str(&parts.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")),
        }
    }
}

impl FromStr for Receiver {
    type Err = PatchError;

    fn from_str(text: &str) -> Result<Self, PatchError> {
        let bad = || PatchError::Receiver { found: text.into() };
        let (place, input) = text.strip_prefix('L').and_then(|rest| rest.rsplit_once('.')).ok_or_else(bad)?;
        let number = |digits: &str| digits.parse::<usize>().map_err(|_| bad());
        if input == "mlp" {
            return Ok(Self { layer: number(place)?, input: Input::Mlp });
        }
        let (layer, head) = place.split_once('H').ok_or_else(bad)?;
        let (layer, head) = (number(layer)?, number(head)?);
        match input {
            "q" => Ok(Self { layer, input: Input::Q(head) }),
            "k" => Ok(Self { layer, input: Input::K(head) }),
            "v" => Ok(Self { layer, input: Input::V(head) }),
            _ => Err(bad()),
        }
    }
}

impl FromStr for Receivers {
    type Err = PatchError;

    fn from_str(text: &str) -> Result<Self, PatchError> {
        if text == "logits" {
            return Ok(Self::Logits);
        }
        Ok(Self::Parts(text.split(',').map(|part| part.trim().parse()).collect::<Result<_, _>>()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receivers_are_read_and_printed() {
        for text in ["logits", "L3H0.q", "L3H0.k,L2H1.v,L1.mlp"] {
            assert_eq!(text.parse::<Receivers>().unwrap().to_string(), text);
        }
        for text in ["", "L3H0", "L3.q", "H0.q", "LxH0.q", "L3H0.z", "logits,L3H0.q"] {
            assert!(matches!(text.parse::<Receivers>(), Err(PatchError::Receiver { .. })), "{text}");
        }
    }
}
