//! A figure as PNG: its SVG, rendered with the bundled font only.

use std::io::Write;

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree};

use super::plot::{self, font};
use super::{ExportError, Exporter};
use crate::figure::Figure;

/// Pixels of the picture a pixel of its layout, so that text is sharp on paper and on dense screens.
const PIXELS: u16 = 2;

/// PNG, on white.
pub struct Png;

impl Exporter for Png {
    fn name(&self) -> &'static str {
        "png"
    }

    fn is_text(&self) -> bool {
        false
    }

    fn write(&self, figures: &[Figure], out: &mut dyn Write) -> Result<(), ExportError> {
        let svg = plot::svg(super::only("png", figures)?)?;
        out.write_all(&render(&svg)?)?;
        Ok(())
    }
}

fn render(svg: &str) -> Result<Vec<u8>, ExportError> {
    let mut options = Options { font_family: font::FAMILY.into(), ..Options::default() };
    options.fontdb_mut().load_font_data(font::BYTES.to_vec());
    let tree = Tree::from_str(svg, &options)?;
    let size = tree.size().to_int_size();
    let (width, height) = (size.width() * u32::from(PIXELS), size.height() * u32::from(PIXELS));
    let failed = || ExportError::Encode { width, height };
    let mut pixmap = Pixmap::new(width, height).ok_or_else(failed)?;
    let scale = f32::from(PIXELS);
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixmap.as_mut());
    pixmap.encode_png().map_err(|_| failed())
}
