//! A figure as SVG.

use std::io::Write;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::plot::{self, font};
use super::{ExportError, Exporter};
use crate::figure::Figure;

/// SVG with its font inside, so that it looks the same everywhere.
pub struct Svg;

impl Exporter for Svg {
    fn name(&self) -> &'static str {
        "svg"
    }

    fn is_text(&self) -> bool {
        false
    }

    fn write(&self, figures: &[Figure], out: &mut dyn Write) -> Result<(), ExportError> {
        let svg = plot::svg(super::only("svg", figures)?)?;
        // the root element ends with the first >
        let (root, rest) = svg.split_at(svg.find('>').map_or(0, |at| at + 1));
        let font = BASE64_STANDARD.encode(font::BYTES);
        writeln!(out, "{}", root.replacen("<svg ", "<svg role=\"img\" ", 1))?;
        write!(out, "<style>@font-face{{font-family:\"{}\";", font::FAMILY)?;
        write!(out, "src:url(data:font/ttf;base64,{font})}}</style>{rest}")?;
        Ok(())
    }
}
