//! Figures that cannot be written.

use std::io;

use plotters::drawing::DrawingAreaErrorKind;

/// A figure that could not be written in a format.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The other side refused.
    #[error("cannot write the figures")]
    Write(#[from] io::Error),
    /// A picture shows one figure.
    #[error("{format} shows one figure, found {found}")]
    NotOneFigure {
        /// The format.
        format: &'static str,
        /// How many figures were to be drawn.
        found: usize,
    },
    /// The figure has no picture.
    #[error("`{title}` cannot be drawn: {reason}")]
    Undrawable {
        /// The figure.
        title: String,
        /// What is wrong with it.
        reason: Undrawable,
    },
    /// The drawing failed.
    #[error("cannot draw the figure")]
    Draw(#[from] DrawingAreaErrorKind<io::Error>),
    /// The drawing is no SVG to the renderer.
    #[error("cannot render the figure")]
    Render(#[from] resvg::usvg::Error),
    /// The pixels could not be stored.
    #[error("cannot encode {width} x {height} pixels as PNG")]
    Encode {
        /// Pixels from left to right.
        width: u32,
        /// Pixels from top to bottom.
        height: u32,
    },
}

/// Why a figure has no picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undrawable {
    /// Nothing to draw.
    #[error("it is empty")]
    Empty,
    /// A table without bars.
    #[error("it is a table in which not every row has a name and a number")]
    NotARanking,
    /// More lines than are told apart.
    #[error("it has {found} lines, a picture at most {limit}")]
    TooManyLines {
        /// How many there are.
        found: usize,
        /// How many are drawn.
        limit: usize,
    },
    /// More cells than a picture can show or a viewer can open.
    #[error("it has {found} cells, a picture at most {limit}")]
    TooLarge {
        /// How many there are.
        found: usize,
        /// How many are drawn.
        limit: usize,
    },
}

impl ExportError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Undrawable { reason: Undrawable::TooLarge { .. }, .. } => {
                Some("a shorter prompt, or the numbers with --format safetensors".into())
            }
            Self::Undrawable { .. } => {
                Some("--figure N draws another figure, --format csv or json writes the numbers".into())
            }
            _ => None,
        }
    }
}
