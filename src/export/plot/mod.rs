//! Draws figures: the page with its title, caption and provenance is here, each kind of figure in its own file.
//!
//! Sizes follow from the content; a picture is never larger than a viewer can open, and no two labels overlap.

mod bars;
mod canvas;
mod colour;
pub(super) mod font;
mod heatmap;
mod lines;
pub(super) mod number;
mod strip;
mod table;
mod waterfall;

use self::bars::BarPlot;
use self::canvas::{Anchor, Canvas, DrawError, Point, Size, Type};
use self::heatmap::HeatmapPlot;
use self::lines::LinePlot;
use self::strip::StripPlot;
use self::waterfall::WaterfallPlot;
use super::{ExportError, Undrawable};
use crate::figure::{Content, Figure, Provenance};

/// What can be drawn on a page.
trait Plot {
    /// How much room it takes.
    fn size(&self) -> Size;

    /// Draws it with its upper left corner at `at`.
    fn draw(&self, canvas: &Canvas, at: Point) -> Result<(), DrawError>;
}

/// Space around everything.
const MARGIN: i32 = 20;
/// No page is narrower, so that captions read well.
const NARROWEST: i32 = 640;
const TITLE: Type = Type::new(17, colour::INK, Anchor::Start);
const CAPTION: Type = Type::new(12, colour::INK, Anchor::Start);
const PROVENANCE: Type = Type::new(10, colour::FAINT, Anchor::Start);

/// The figure as SVG. Its texts name the bundled font; whoever shows it must bring that along.
pub(super) fn svg(figure: &Figure) -> Result<String, ExportError> {
    let plot = plot(&figure.content);
    let plot = plot.map_err(|reason| ExportError::Undrawable { title: figure.title.clone(), reason })?;
    let page = Page::new(figure, &*plot);
    let mut svg = String::new();
    let canvas = Canvas::new(&mut svg, page.size);
    page.draw(&canvas, &*plot)?;
    drop(canvas);
    Ok(svg)
}

fn plot(content: &Content) -> Result<Box<dyn Plot>, Undrawable> {
    match content {
        Content::Heatmap(heatmap) => Ok(Box::new(HeatmapPlot::new(heatmap)?)),
        Content::Bars(bars) => Ok(Box::new(BarPlot::new(bars)?)),
        Content::Table(table) => Ok(Box::new(table::ranking(table)?)),
        Content::Lines(lines) => Ok(Box::new(LinePlot::new(lines)?)),
        Content::Strip(strip) => Ok(Box::new(StripPlot::new(strip)?)),
        Content::Waterfall(waterfall) => Ok(Box::new(WaterfallPlot::new(waterfall)?)),
    }
}

/// Lines of one kind, one below the other.
struct Block {
    lines: Vec<String>,
    kind: Type,
}

impl Block {
    fn new(text: &str, kind: Type, width: i32) -> Self {
        /// A caption of ours has fewer; a text of a stranger may have a million.
        const MOST_LINES: usize = 30;
        let characters = font::fit(width, kind.size);
        // what is cut off need not be laid out
        let text = font::shorten(text, characters * (MOST_LINES + 1));
        let mut lines = font::wrap(&font::visible(&text), characters);
        if lines.len() > MOST_LINES {
            lines.truncate(MOST_LINES);
            lines.push("…".into());
        }
        Self { lines, kind }
    }

    const fn line_height(&self) -> i32 {
        self.kind.size + self.kind.size / 2
    }

    fn height(&self) -> i32 {
        i32::try_from(self.lines.len()).unwrap_or(i32::MAX / 100) * self.line_height()
    }

    fn draw(&self, canvas: &Canvas, at: Point) -> Result<(), DrawError> {
        let mut y = at.y + self.line_height() / 2;
        for line in &self.lines {
            canvas.text(line, Point { x: at.x, y }, self.kind)?;
            y += self.line_height();
        }
        Ok(())
    }
}

/// Everything around a plot.
struct Page {
    title: Block,
    caption: Block,
    provenance: Block,
    size: Size,
}

impl Page {
    fn new(figure: &Figure, plot: &dyn Plot) -> Self {
        let plot = plot.size();
        let width = plot.width.max(NARROWEST);
        let title = Block::new(&figure.title, TITLE, width);
        let caption = Block::new(&figure.caption, CAPTION, width);
        let provenance = Block::new(&origin(&figure.provenance), PROVENANCE, width);
        let height = title.height() + plot.height + caption.height() + provenance.height() + 3 * GAP + 2 * MARGIN;
        Self { title, caption, provenance, size: Size { width: width + 2 * MARGIN, height } }
    }

    fn draw(&self, canvas: &Canvas, plot: &dyn Plot) -> Result<(), DrawError> {
        canvas.fill(Point { x: 0, y: 0 }, self.size, colour::PAPER)?;
        let mut at = Point { x: MARGIN, y: MARGIN };
        self.title.draw(canvas, at)?;
        at.y += self.title.height() + GAP;
        plot.draw(canvas, at)?;
        at.y += plot.size().height + GAP;
        self.caption.draw(canvas, at)?;
        at.y += self.caption.height() + GAP;
        self.provenance.draw(canvas, at)?;
        canvas.finish()
    }
}

/// Between the parts of a page.
const GAP: i32 = 12;

/// Where the numbers come from, in a line or two.
fn origin(from: &Provenance) -> String {
    /// More of a prompt would be longer than the picture.
    const PROMPT: usize = 200;
    let mut parts = Vec::new();
    if !from.model.is_empty() {
        parts.push(format!("model {} {}", from.model, from.fingerprint));
        parts.push(from.precision.clone());
    }
    parts.extend(from.prompt.as_ref().map(|prompt| format!("prompt “{}”", font::shorten(prompt, PROMPT))));
    parts.extend(from.bos.clone());
    if !from.interventions.is_empty() {
        parts.push(format!("intervened: {}", from.interventions.join(", ")));
    }
    if !from.version.is_empty() {
        parts.push(format!("lmscope {}", from.version));
    }
    parts.join(" · ")
}
