//! The attention patterns of all heads, small enough for a page.

use serde::Serialize;

use super::ReportError;
use super::packed::pack;

/// Patterns of `n_layers x n_heads` heads over the tokens of a prompt, as bytes: shares of 255.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Attention {
    /// Its name.
    pub title: String,
    /// What is shown.
    pub caption: String,
    /// The tokens as people see them.
    pub tokens: Vec<String>,
    /// Layers of the model.
    pub n_layers: usize,
    /// Heads of a layer.
    pub n_heads: usize,
    /// The layer and the head that are shown first.
    pub chosen: (usize, usize),
    /// What each head is called, layer by layer; empty where it has no role.
    pub roles: Vec<String>,
    /// The side of the thumbnails.
    pub side: usize,
    /// The thumbnails of all heads, packed.
    #[serde(skip)]
    pub thumbnails: String,
    /// The pattern of each head, packed: row by row, each up to the diagonal.
    #[serde(skip)]
    pub heads: Vec<String>,
}

/// The side of a thumbnail.
pub const SIDE: usize = 16;

/// Patterns that are being collected.
#[derive(Debug, Clone, Default)]
pub struct Patterns {
    thumbnails: Vec<u8>,
    heads: Vec<String>,
    side: usize,
}

impl Patterns {
    /// Takes the pattern of the next head, `[query][key]`.
    ///
    /// # Errors
    /// If it cannot be packed.
    pub fn take(&mut self, pattern: &[Vec<f32>]) -> Result<(), ReportError> {
        let n = pattern.len();
        self.side = SIDE.min(n.max(1));
        let mut thumbnail = vec![0; self.side * self.side];
        let mut bytes = Vec::with_capacity(n * (n + 1) / 2);
        for (query, row) in pattern.iter().enumerate() {
            for (key, &weight) in row.iter().enumerate().take(query + 1) {
                let byte = share(weight);
                bytes.push(byte);
                let at = query * self.side / n * self.side + key * self.side / n;
                thumbnail[at] = byte.max(thumbnail[at]);
            }
        }
        self.thumbnails.extend(thumbnail);
        self.heads.push(pack(&bytes)?);
        Ok(())
    }

    /// The block of a page.
    ///
    /// # Errors
    /// If the thumbnails cannot be packed.
    pub fn finish(self, about: Attention) -> Result<Attention, ReportError> {
        Ok(Attention { side: self.side, thumbnails: pack(&self.thumbnails)?, heads: self.heads, ..about })
    }
}

/// A weight as a share of 255.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is clamped to a byte")]
fn share(weight: f32) -> u8 {
    (weight.clamp(0.0, 1.0) * 255.0).round() as u8
}

#[cfg(test)]
mod tests {
    use super::super::packed::unpack;
    use super::*;

    #[test]
    fn rows_end_at_the_diagonal_and_thumbnails_keep_the_largest() {
        let pattern: Vec<Vec<f32>> =
            (0..40).map(|query| (0..40).map(|key| if key == query { 0.6 } else { 0.0 }).collect()).collect();
        let mut found = Patterns::default();
        found.take(&pattern).unwrap();
        let bytes = unpack(&found.heads[0]).unwrap();
        assert_eq!(bytes.len(), 40 * 41 / 2);
        assert_eq!((bytes[0], bytes[1], bytes[2], bytes[5]), (153, 0, 153, 153));
        assert_eq!(found.side, SIDE);
        assert!((0..SIDE).all(|at| found.thumbnails[at * SIDE + at] == 153));
        let mut small = Patterns::default();
        small.take(&[vec![1.0]]).unwrap();
        assert_eq!((small.side, small.thumbnails), (1, vec![255]));
    }
}
