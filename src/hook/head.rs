//! One attention head, and the name it goes by: `L5H3`.

use std::fmt;
use std::str::FromStr;

/// A head of a block, both 0-based.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Head {
    /// The block.
    pub layer: usize,
    /// The head within it.
    pub head: usize,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "L{}H{}", self.layer, self.head)
    }
}

/// A text that names no head.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a head, expected one like L5H3")]
pub struct HeadError {
    /// What was typed.
    pub found: String,
}

impl FromStr for Head {
    type Err = HeadError;

    fn from_str(text: &str) -> Result<Self, HeadError> {
        let numbers = text.strip_prefix(['L', 'l']).and_then(|rest| rest.split_once(['H', 'h']));
        let parsed =
            numbers.and_then(|(layer, head)| Some(Self { layer: layer.parse().ok()?, head: head.parse().ok()? }));
        parsed.ok_or_else(|| HeadError { found: text.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_is_written() {
        let head = Head { layer: 5, head: 3 };
        assert_eq!("L5H3".parse(), Ok(head));
        assert_eq!(head.to_string().parse(), Ok(head));
        assert_eq!("l5h3".parse(), Ok(head));
        for wrong in ["", "5.3", "L5", "LxH1", "L1H", "H3"] {
            assert_eq!(wrong.parse::<Head>(), Err(HeadError { found: wrong.into() }));
        }
    }
}
