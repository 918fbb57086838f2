//! Tokens through the layers as curves, above the entropy of the lens and its distance from the answer.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::figure::{Cell, Table};
use crate::tui::action::{Action, Move};
use crate::tui::layout::{cells, part};
use crate::tui::text::fit;
use crate::tui::theme::Theme;
use crate::tui::view::Scene;
use crate::tui::widget::lines::{Curve, LinesWidget};
use crate::tui::widget::{line, spans};

/// Columns of the numbers at the chosen layer.
const LEGEND: u16 = 32;
/// Columns from which on there is room for them.
const WITH_LEGEND: u16 = 70;
/// Rows from which on there is room for entropy and divergence.
const WITH_SMALL: u16 = 13;
/// Log-probabilities to the base of ten that have a name; below the first nothing is told apart.
const HEIGHTS: [(f64, &str); 4] = [(-6.0, "1e-6"), (-4.0, "0.01%"), (-2.0, "1%"), (0.0, "100%")];

/// The tokens, entropy and divergence of a run at one position, layer by layer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Path<'a>(pub(super) &'a Table);

impl<'a> Path<'a> {
    /// The numbers of a column.
    fn numbers(self, name: &str) -> Vec<f64> {
        let Some(at) = self.0.columns().iter().position(|column| column.name == name) else { return Vec::new() };
        let number = |row: &Vec<Cell>| match row.get(at) {
            Some(Cell::Number { value, .. }) => *value,
            _ => f64::NAN,
        };
        self.0.rows().iter().map(number).collect()
    }

    /// The names of the tokens that are followed: A, B, and others.
    pub(super) fn tokens(self) -> Vec<&'a str> {
        self.0.columns().iter().filter_map(|column| column.name.strip_prefix("logprob ")).collect()
    }

    /// The probabilities of a token.
    pub(super) fn probs(self, token: &str) -> Vec<f64> {
        self.numbers(&format!("logprob {token}")).into_iter().map(f64::exp).collect()
    }

    fn layers(self) -> Vec<String> {
        let name = |row: &Vec<Cell>| match row.first() {
            Some(Cell::Text(text)) => text.clone(),
            _ => String::new(),
        };
        self.0.rows().iter().map(name).collect()
    }
}

/// How a followed token is drawn.
fn look(at: usize, theme: Theme) -> (char, Style) {
    let styles = [theme.towards(), theme.against(), theme.notice(), theme.bar(1.0), theme.bar(0.5), theme.bar(0.0)];
    let letter = ('A'..='Z').nth(at).unwrap_or('?');
    (letter, styles.get(at).copied().unwrap_or_default())
}

/// Curves at one position.
pub(super) struct Curves<'a> {
    pub(super) now: Path<'a>,
    /// The model as it is, where interventions change it: small letters.
    pub(super) base: Option<Path<'a>>,
    /// The chosen layer.
    pub(super) cursor: usize,
    /// The position they are at.
    pub(super) after: &'a str,
}

impl Curves<'_> {
    pub(super) fn render(&self, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let legend = if area.width >= WITH_LEGEND { LEGEND } else { 0 };
        let main = part(area, 0, 0, area.width - legend, area.height);
        if legend == 0 {
            self.brief(scene, part(area, 0, 0, area.width, 1), buffer);
        } else {
            self.title(scene, part(area, 0, 0, area.width - legend, 1), buffer);
            self.legend(scene, part(area, area.width - legend + 2, 0, legend - 2, area.height), buffer);
        }
        let small = if area.height >= WITH_SMALL { (area.height / 3).max(5) } else { 0 };
        self.tokens(scene, part(main, 0, 1, main.width, main.height.saturating_sub(1 + small)), buffer);
        if small > 0 {
            let (half, y) = (main.width / 2, main.height - small);
            self.small(
                ("entropy_bits", "entropy, bits"),
                scene,
                part(main, 0, y, half.saturating_sub(1), small),
                buffer,
            );
            self.small(("kl", "KL(final ‖ layer), nats"), scene, part(main, half, y, main.width - half, small), buffer);
        }
    }

    fn title(&self, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let both = self.base.map_or("", |_| "; small: base");
        let pieces = [
            ("layer by layer, after ", scene.theme.faint()),
            (self.after, scene.theme.title()),
            (both, scene.theme.notice()),
        ];
        spans(buffer, area, 0, &pieces);
    }

    /// A curve of each run, that of the base below.
    fn both(&self, (letter, style): (char, Style), theme: Theme, values: impl Fn(Path<'_>) -> Vec<f64>) -> Vec<Curve> {
        let now = Curve { letter, values: values(self.now), style };
        let base = self.base.map(|base| Curve {
            letter: letter.to_ascii_lowercase(),
            values: values(base),
            style: theme.faint(),
        });
        std::iter::once(now).chain(base).collect()
    }

    fn tokens(&self, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let log = |prob: &f64| prob.log10();
        let tokens = self.now.tokens().into_iter().enumerate();
        let (mut now, mut base) = (Vec::new(), Vec::new());
        for (at, token) in tokens {
            let curves =
                self.both(look(at, scene.theme), scene.theme, |run| run.probs(token).iter().map(log).collect());
            let mut curves = curves.into_iter();
            now.extend(curves.next());
            base.extend(curves);
        }
        now.extend(base);
        let heights = HEIGHTS.map(|(value, name)| (value, name.to_owned()));
        self.draw(&now, &heights, scene, area, buffer);
    }

    /// A quantity from 0 to its largest value.
    fn small(&self, (column, title): (&str, &str), scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        line(buffer, area, 0, title, scene.theme.faint());
        let letter = if column == "kl" { 'K' } else { 'H' };
        let curves = self.both((letter, Style::new()), scene.theme, |run| run.numbers(column));
        let most = curves.iter().flat_map(|curve| &curve.values).copied().fold(0.0, f64::max);
        let heights = [(0.0, "0".to_owned()), (most, format!("{most:.1}"))];
        self.draw(&curves, &heights, scene, part(area, 0, 1, area.width, area.height.saturating_sub(1)), buffer);
    }

    fn draw(&self, curves: &[Curve], heights: &[(f64, String)], scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let places = self.now.layers();
        let widget = LinesWidget { curves, places: &places, heights, cursor: self.cursor, theme: scene.theme };
        widget.render(area, buffer);
        widget.report(area, scene.hits, |place| vec![Action::Cursor(Move::To(place))]);
    }

    /// The followed tokens at the chosen layer, in one line.
    fn brief(&self, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let texts = self.now.tokens().into_iter().enumerate().map(|(at, token)| {
            let (letter, style) = look(at, scene.theme);
            let prob = |run: Path<'_>| percent(run.probs(token).get(self.cursor));
            let before = self.base.map_or_else(String::new, |base| format!("{} → ", prob(base)));
            (format!("{letter} {token} {before}{}  ", prob(self.now)), style)
        });
        let texts: Vec<(String, Style)> = texts.collect();
        let pieces: Vec<(&str, Style)> = texts.iter().map(|(text, style)| (text.as_str(), *style)).collect();
        spans(buffer, area, 0, &pieces);
    }

    /// All numbers at the chosen layer.
    fn legend(&self, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let theme = scene.theme;
        let layer = self.now.layers().get(self.cursor).cloned().unwrap_or_default();
        let names = if self.base.is_some() { "     now    base" } else { "     now" };
        let room = usize::from(area.width).saturating_sub(names.len());
        let heading = fit(&format!("layer {layer}"), room);
        spans(buffer, area, 0, &[(&heading, theme.title()), (names, theme.faint())]);
        let mut row = |row: usize, name: &str, style: Style, number: &dyn Fn(Path<'_>) -> String| {
            let numbers = [Some(self.now), self.base]
                .map(|run| run.map_or_else(String::new, |run| format!("{:>8}", number(run))));
            let numbers = numbers.concat();
            let name = fit(name, usize::from(area.width).saturating_sub(numbers.len()));
            spans(buffer, area, cells(row), &[(&name, style), (&numbers, Style::new())]);
        };
        let tokens = self.now.tokens();
        for (at, token) in tokens.iter().enumerate() {
            let (letter, style) = look(at, theme);
            let prob = |run: Path<'_>| percent(run.probs(token).get(self.cursor));
            row(at + 1, &format!("{letter} {token}"), style, &prob);
        }
        for (at, (column, name)) in [("entropy_bits", "H bits"), ("kl", "K nats")].into_iter().enumerate() {
            let number =
                |run: Path<'_>| run.numbers(column).get(self.cursor).map_or_else(String::new, |x| format!("{x:.2}"));
            row(tokens.len() + 2 + at, name, theme.faint(), &number);
        }
    }
}

/// A probability; a small one is told as small rather than as nothing.
pub(super) fn percent(prob: Option<&f64>) -> String {
    match prob {
        None => String::new(),
        Some(prob) if *prob >= 5e-4 => format!("{:.2}%", prob * 100.0),
        Some(prob) => format!("{prob:.0e}"),
    }
}
