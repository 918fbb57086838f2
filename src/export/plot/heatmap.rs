//! Grids: a coloured cell a value, its text or number where there is room, labels on two sides, a colour bar.

use super::canvas::{Anchor, Canvas, DrawError, Point, Size, Type};
use super::{Plot, colour, font, number};
use crate::export::Undrawable;
use crate::figure::{Heatmap, HeatmapAxis, Scale};

/// More would be an SVG that no viewer opens.
const LIMIT: usize = 250_000;
/// The widest and highest grid, unless every cell has its smallest size.
const LARGEST: i32 = 1536;
/// What a grid may take so that its column labels can run across.
const ACROSS: i32 = 1000;
const SMALLEST_CELL: i32 = 2;
const LABEL_CHARACTERS: usize = 18;
const TEXT_CHARACTERS: usize = 14;
/// A shorter beginning of a token says nothing.
const FEWEST_CHARACTERS: usize = 4;
const LABEL: Type = Type::new(11, colour::INK, Anchor::End);
const TEXT: Type = Type::new(11, colour::INK, Anchor::Middle);
const AXIS: Type = Type::new(11, colour::FAINT, Anchor::End);
const TICK: Type = Type::new(10, colour::FAINT, Anchor::Start);
/// A line of labels.
const LINE: i32 = 14;
/// Beside a label and in a cell.
const PAD: i32 = 5;
const BAR_WIDTH: i32 = 14;
/// Between the grid and the colour bar.
const BAR_GAP: i32 = 24;
const BAR_HEIGHT: (i32, i32) = (100, 240);
/// Steps of the colour bar.
const BAR_STEPS: i32 = 50;

/// Labels that fit, and which of them are shown.
struct Labels {
    name: String,
    texts: Vec<String>,
    /// Every how many rows or columns one is shown.
    step: usize,
}

impl Labels {
    fn new(axis: &HeatmapAxis) -> Self {
        let texts = axis.labels.iter().map(|label| font::shorten(&font::visible(label), LABEL_CHARACTERS));
        let name = font::shorten(&font::visible(&axis.name), 2 * LABEL_CHARACTERS);
        Self { name, texts: texts.collect(), step: 1 }
    }

    /// The width of the longest.
    fn width(&self) -> i32 {
        font::width(self.texts.iter().map(|text| text.chars().count()).max().unwrap_or(0), LABEL.size)
    }

    /// Leaves out so many that a line of text fits between those that stay.
    fn thin(&mut self, cell: i32) {
        const STEPS: [usize; 9] = [1, 2, 5, 10, 20, 50, 100, 200, 500];
        let fits = |step: &&usize| i32::try_from(**step).is_ok_and(|step| step * cell >= LINE - 2);
        self.step = STEPS.iter().find(fits).copied().unwrap_or(1000);
    }

    fn shown(&self) -> impl Iterator<Item = (usize, &str)> {
        self.texts.iter().map(String::as_str).enumerate().step_by(self.step)
    }
}

/// Which way the labels of columns run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Run {
    Across,
    Upwards,
}

/// A grid, laid out.
pub(super) struct HeatmapPlot {
    rows: Labels,
    columns: Labels,
    run: Run,
    cell: Size,
    values: Vec<f32>,
    /// What is written into the cells, empty where nothing is.
    texts: Vec<String>,
    scale: Scale,
    unit: String,
}

impl HeatmapPlot {
    pub(super) fn new(heatmap: &Heatmap) -> Result<Self, Undrawable> {
        let values = heatmap.values().to_vec();
        match values.len() {
            0 => return Err(Undrawable::Empty),
            found if found > LIMIT => return Err(Undrawable::TooLarge { found, limit: LIMIT }),
            _ => {}
        }
        let (mut rows, mut columns) = (Labels::new(heatmap.rows()), Labels::new(heatmap.columns()));
        let texts = texts(heatmap);
        let longest = texts.iter().map(|text| text.chars().count()).max().unwrap_or(0).min(TEXT_CHARACTERS);
        let (run, cell) = layout([rows.texts.len(), columns.texts.len()], columns.width(), longest);
        rows.thin(cell.height);
        if run == Run::Upwards {
            columns.thin(cell.width);
        }
        let room = if cell.height >= LINE - 2 { font::fit(cell.width - PAD, TEXT.size) } else { 0 };
        // texts in some cells only would be read as something about those
        let room = if room < longest.min(FEWEST_CHARACTERS) { 0 } else { room };
        let fitted = |text: String| match text.chars().count() {
            n if n <= room => text,
            _ if room >= FEWEST_CHARACTERS && heatmap.cell(0, 0).is_some() => font::shorten(&text, room),
            _ => String::new(),
        };
        let texts = texts.into_iter().map(fitted).collect();
        let unit = font::visible(heatmap.unit()).into_owned();
        Ok(Self { rows, columns, run, cell, values, texts, scale: heatmap.scale(), unit })
    }

    fn grid(&self) -> Size {
        let cells = |labels: &Labels| i32::try_from(labels.texts.len()).unwrap_or(1);
        Size { width: cells(&self.columns) * self.cell.width, height: cells(&self.rows) * self.cell.height }
    }

    /// What the labels of rows take on the left, the name of their axis included.
    fn left(&self) -> i32 {
        self.rows.width().max(font::width(self.rows.name.chars().count(), AXIS.size)) + PAD
    }

    /// What the labels of columns take below.
    fn below(&self) -> i32 {
        let labels = if self.run == Run::Across { LINE } else { self.columns.width() };
        labels + 2 * PAD + LINE
    }

    fn bar_height(&self) -> i32 {
        self.grid().height.clamp(BAR_HEIGHT.0, BAR_HEIGHT.1)
    }

    fn draw_cells(&self, canvas: &Canvas, at: Point) -> Result<(), DrawError> {
        /// Cells of this size have a thin line between them.
        const SEPARATE: i32 = 10;
        let line = i32::from(self.cell.width.min(self.cell.height) >= SEPARATE);
        let size = Size { width: self.cell.width - line, height: self.cell.height - line };
        let places = (0..).step_by(step(self.cell.height)).flat_map(|y: i32| {
            (0..self.grid().width).step_by(step(self.cell.width)).map(move |x| Point { x: at.x + x, y: at.y + y })
        });
        for ((&value, text), place) in self.values.iter().zip(&self.texts).zip(places) {
            let background = colour::of(self.scale, value);
            canvas.fill(place, size, background)?;
            if !text.is_empty() {
                let middle = Point { x: place.x + size.width / 2, y: place.y + size.height / 2 };
                canvas.text(text, middle, Type { colour: colour::text_on(background), ..TEXT })?;
            }
        }
        let grid = self.grid();
        canvas.frame(at, Size { width: grid.width - line, height: grid.height - line }, colour::RULE)
    }

    fn draw_rows(&self, canvas: &Canvas, at: Point) -> Result<(), DrawError> {
        let x = at.x - PAD;
        canvas.text(&self.rows.name, Point { x, y: at.y - LINE / 2 }, AXIS)?;
        for (row, text) in self.rows.shown() {
            canvas.text(text, Point { x, y: middle(at.y, row, self.cell.height) }, LABEL)?;
        }
        Ok(())
    }

    fn draw_columns(&self, canvas: &Canvas, at: Point) -> Result<(), DrawError> {
        let kind = match self.run {
            Run::Across => Type { anchor: Anchor::Middle, ..LABEL },
            Run::Upwards => LABEL.upwards(),
        };
        let y = at.y + self.grid().height + if self.run == Run::Across { LINE / 2 + 2 } else { PAD };
        for (column, text) in self.columns.shown() {
            canvas.text(text, Point { x: middle(at.x, column, self.cell.width), y }, kind)?;
        }
        let name = Point { x: at.x + self.grid().width / 2, y: at.y + self.grid().height + self.below() - LINE / 2 };
        canvas.text(&self.columns.name, name, Type { anchor: Anchor::Middle, ..AXIS })
    }

    fn draw_bar(&self, canvas: &Canvas, at: Point) -> Result<(), DrawError> {
        let (low, high) = ends(self.scale);
        let height = self.bar_height();
        let y = |step: i32| at.y + height - step * height / BAR_STEPS;
        for step in 0..BAR_STEPS {
            let share = (f64::from(step) + 0.5) / f64::from(BAR_STEPS);
            let background = colour::of(self.scale, f32_of(low + share * (high - low)));
            let size = Size { width: BAR_WIDTH, height: y(step) - y(step + 1) };
            canvas.fill(Point { x: at.x, y: y(step + 1) }, size, background)?;
        }
        canvas.frame(at, Size { width: BAR_WIDTH, height }, colour::RULE)?;
        for (value, step) in [(low, 0), (f64::midpoint(low, high), BAR_STEPS / 2), (high, BAR_STEPS)] {
            canvas.text(&number::short(value), Point { x: at.x + BAR_WIDTH + PAD, y: y(step) }, TICK)?;
        }
        let x = at.x + BAR_WIDTH + PAD + self.tick_width() + PAD + LINE / 2;
        let unit = font::shorten(&self.unit, font::fit(height, AXIS.size));
        canvas.text(&unit, Point { x, y: at.y + height / 2 }, Type { anchor: Anchor::Middle, ..AXIS }.upwards())
    }

    fn tick_width(&self) -> i32 {
        let (low, high) = ends(self.scale);
        let characters = [low, f64::midpoint(low, high), high].map(|value| number::short(value).chars().count());
        font::width(characters.into_iter().max().unwrap_or(0), TICK.size)
    }
}

impl Plot for HeatmapPlot {
    fn size(&self) -> Size {
        let grid = self.grid();
        let bar = BAR_GAP + BAR_WIDTH + PAD + self.tick_width() + PAD + LINE;
        let height = LINE + (grid.height + self.below()).max(self.bar_height() + LINE / 2);
        // the name of the columns may be wider than they are
        let name = font::width(self.columns.name.chars().count(), AXIS.size);
        Size { width: self.left() + grid.width.max(name) + bar, height }
    }

    fn draw(&self, canvas: &Canvas, at: Point) -> Result<(), DrawError> {
        let grid = Point { x: at.x + self.left(), y: at.y + LINE };
        self.draw_cells(canvas, grid)?;
        self.draw_rows(canvas, grid)?;
        self.draw_columns(canvas, grid)?;
        self.draw_bar(canvas, Point { x: grid.x + self.grid().width + BAR_GAP, y: grid.y })
    }
}

/// The cells' own texts, or their numbers, all with as many decimals.
fn texts(heatmap: &Heatmap) -> Vec<String> {
    let n_columns = heatmap.columns().labels.len().max(1);
    let largest = heatmap.values().iter().filter(|value| value.is_finite()).fold(0.0_f32, |max, x| max.max(x.abs()));
    let decimals = match largest {
        _ if largest < 10.0 => 2,
        _ if largest < 100.0 => 1,
        _ => 0,
    };
    let text = |(index, &value): (usize, &f32)| match heatmap.cell(index / n_columns, index % n_columns) {
        Some(text) => font::visible(text).into_owned(),
        None if value.is_nan() => String::new(),
        None if value == 0.0 => "0".into(),
        None => without_sign_of_zero(format!("{value:.decimals$}")),
    };
    heatmap.values().iter().enumerate().map(text).collect()
}

/// `0.00` for `-0.00`.
fn without_sign_of_zero(number: String) -> String {
    let is_zero = number.chars().all(|c| matches!(c, '-' | '0' | '.'));
    if is_zero { number.trim_start_matches('-').into() } else { number }
}

/// How large cells are, and which way the labels of columns run.
fn layout([n_rows, n_columns]: [usize; 2], label_width: i32, text_characters: usize) -> (Run, Size) {
    /// A cell that nothing has to fit into.
    const COMFORTABLE: i32 = 40;
    let count = |n: usize| i32::try_from(n.max(1)).unwrap_or(LARGEST);
    let text = font::width(text_characters, TEXT.size) + 2 * PAD;
    let across = (label_width + 2 * PAD).max(text).max(COMFORTABLE);
    let (run, width) = if across.saturating_mul(count(n_columns)) <= ACROSS {
        (Run::Across, across)
    } else {
        (Run::Upwards, text.max(LINE).min(LARGEST / count(n_columns)))
    };
    let width = width.max(SMALLEST_CELL);
    let height = width.clamp(LINE, 2 * LINE - 4).min(LARGEST / count(n_rows)).max(SMALLEST_CELL);
    // a grid of tiny cells is square, as a map of attention is
    let height = if width < LINE { height.min(width.max(LARGEST / 3 / count(n_rows))) } else { height };
    (run, Size { width, height })
}

/// What both ends of the colour bar stand for.
fn ends(scale: Scale) -> (f64, f64) {
    match scale {
        Scale::Probability => (0.0, 1.0),
        Scale::Sequential { low, high } => (f64::from(low), f64::from(high)),
        Scale::Diverging { mid, reach } => (f64::from(mid - reach), f64::from(mid + reach)),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a colour needs no more")]
const fn f32_of(value: f64) -> f32 {
    value as f32
}

/// The middle of a row or column.
fn middle(start: i32, index: usize, cell: i32) -> i32 {
    start + i32::try_from(index).unwrap_or(0) * cell + cell / 2
}

/// A positive number of pixels.
fn step(pixels: i32) -> usize {
    usize::try_from(pixels).unwrap_or(1).max(1)
}
