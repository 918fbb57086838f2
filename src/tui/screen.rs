//! Draws a state: header, prompt, panels, footer, and what lies over them.

mod panels;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::action::Action;
use super::app::State;
use super::glyph::settle;
use super::keymap::{Context, Keymap, key_name};
use super::layout::{MINIMUM, areas, cells, is_enough, part};
use super::line_entry::LineEntry;
use super::mouse::Hits;
use super::text::{one_line, width};
use super::view::ViewName;
use super::widget::{line, prompt_input, spans, token_strip};

/// Draws everything; answers what can be clicked where.
pub fn render(state: &State, area: Rect, buffer: &mut Buffer) -> Hits {
    let hits = draw(state, area, buffer);
    settle(buffer, state.theme().glyphs);
    hits
}

fn draw(state: &State, area: Rect, buffer: &mut Buffer) -> Hits {
    let hits = Hits::default();
    if !is_enough(area) {
        let (columns, rows) = MINIMUM;
        let text = format!("lmscope needs {columns}x{rows}, has {}x{}", area.width, area.height);
        line(buffer, area, 0, &text, Style::new());
        let way = state.keymap().way(state.context(), Action::Quit);
        line(buffer, area, 1, &format!("enlarge the window; {way} quits"), state.theme().faint());
        return hits;
    }
    let areas = areas(area, state.prompt_rows(area.width));
    header(state, &hits, areas.header, buffer);
    prompt(state, &hits, areas.prompt, buffer);
    let note = state.note();
    panels::render(state, (&note, &hits), areas.body, buffer);
    if let Some(overlay) = state.overlay() {
        hits.cover();
        overlay.render(&state.scene(&note, &hits), over(area), buffer);
    }
    footer(state, &hits, areas.footer, buffer);
    hits
}

/// Overlays leave the footer.
const fn over(area: Rect) -> Rect {
    Rect { height: area.height - 1, ..area }
}

fn header(state: &State, hits: &Hits, area: Rect, buffer: &mut Buffer) {
    let theme = state.theme();
    let (name, changes, rest) = (state.model_name(), state.changes(), state.model_line());
    let (marker, target) = (state.marker(), state.target());
    let tabs = tabs(state, hits, part(area, 0, area.height - 1, area.width, 1), buffer);
    if area.height > 1 {
        let model =
            [("lmscope ", theme.title()), (&name, theme.faint()), (&changes, theme.notice()), (&rest, theme.faint())];
        spans(buffer, area, 0, &model);
    }
    let room = area.width.saturating_sub(tabs + 1);
    let is_low = area.height == 1;
    let (text, style) = match () {
        () if !marker.is_empty() => (marker, theme.notice()),
        () if is_low && !changes.is_empty() => (changes, theme.notice()),
        () if !target.is_empty() => (target, theme.towards()),
        () if is_low => (format!("{name}{rest}"), theme.faint()),
        () => (String::new(), theme.faint()),
    };
    let wide = cells(width(&text)).min(room);
    let place = part(area, area.width - wide, area.height - 1, wide, 1);
    line(buffer, place, 0, &text, style);
}

fn tabs(state: &State, hits: &Hits, area: Rect, buffer: &mut Buffer) -> u16 {
    let key = |name| state.keymap().key(Context::Global, Action::ShowView(name));
    let key = |name| key(name).map_or_else(String::new, |key| format!("{key} "));
    let titles: usize = state.names().map(|name| width(&key(name)) + width(name.title()) + 1).sum();
    let are_named = usize::from(area.width) >= titles;
    // the key, a space, the title, and what stands around them
    let is_roomy = usize::from(area.width) >= titles + state.names().count();
    let name = |(at, name): (usize, ViewName)| match (are_named, at == state.current()) {
        (true, _) if !is_roomy => format!("{}{} ", key(name), name.title()),
        (false, false) => format!(" {}", key(name)),
        (true, _) | (false, true) => format!(" {}{} ", key(name), name.title()),
    };
    let names: Vec<String> = state.names().enumerate().map(name).collect();
    let styles = (0..).map(|at: usize| if at == state.current() { state.theme().selected() } else { Style::new() });
    let pieces: Vec<(&str, Style)> = names.iter().map(String::as_str).zip(styles).collect();
    let mut x = 0;
    for (name, text) in state.names().zip(&names) {
        let wide = cells(width(text));
        hits.on(part(area, x, 0, wide, 1), &[Action::ShowView(name)]);
        x += wide;
    }
    spans(buffer, area, 0, &pieces)
}

fn prompt(state: &State, hits: &Hits, area: Rect, buffer: &mut Buffer) {
    let theme = state.theme();
    let session = state.session();
    if let Some(entry) = state.line_entry() {
        line_entry(entry, state, area, buffer);
        return;
    }
    let Some(editor) = state.editor() else {
        match session.awaited() {
            Some(text) => {
                line(buffer, area, 0, &one_line(text), theme.faint());
            }
            None => {
                let look = (Some(session.position()), session.tints());
                token_strip::render(&session.tokens().visible, (look.0, &look.1), (theme, hits), area, buffer);
            }
        }
        return;
    };
    prompt_input::render("prompt> ", editor.input(), theme, area, buffer);
    let below = part(area, 0, 1, area.width, area.height.saturating_sub(1));
    match editor.problem() {
        Some(problem) => {
            line(buffer, below, 0, &one_line(problem), theme.error());
        }
        None => {
            // what is being typed cannot be selected
            let nowhere = Hits::default();
            token_strip::render(&editor.tokens().visible, (None, &[]), (theme, &nowhere), below, buffer);
        }
    }
}

fn line_entry(entry: &LineEntry, state: &State, area: Rect, buffer: &mut Buffer) {
    let theme = state.theme();
    prompt_input::render(entry.purpose().prefix(), entry.input(), theme, area, buffer);
    let (text, style) = match entry.problem() {
        Some(problem) => (one_line(problem), theme.error()),
        None => (entry.purpose().help().to_owned(), theme.faint()),
    };
    line(buffer, area, 1, &text, style);
}

fn footer(state: &State, hits: &Hits, area: Rect, buffer: &mut Buffer) {
    let theme = state.theme();
    if let Some(notice) = state.notice() {
        line(buffer, area, 0, &one_line(notice), theme.notice());
        return;
    }
    let (mut items, last) = footer_items(state.keymap(), state.context());
    let wide = |items: &[Item]| items.iter().map(Item::width).sum::<usize>();
    let room = usize::from(area.width).saturating_sub(wide(&last));
    while wide(&items) > room {
        items.pop();
    }
    items.extend(last);
    let mut x = 0;
    for item in &items {
        for (name, action) in &item.keys {
            let place = part(area, x, 0, cells(width(name)), 1);
            x += line(buffer, place, 0, name, theme.title());
            hits.on(place, &[*action]);
        }
        let word = part(area, x + 1, 0, cells(width(item.short)), 1);
        line(buffer, word, 0, item.short, theme.faint());
        hits.on(word, &[item.keys[0].1]);
        x += word.width + 3;
    }
}

/// Keys of the footer that share a word.
struct Item {
    keys: Vec<(String, Action)>,
    short: &'static str,
}

impl Item {
    /// Columns, with those after it.
    fn width(&self) -> usize {
        self.keys.iter().map(|(name, _)| width(name)).sum::<usize>() + width(self.short) + 3
    }
}

/// What the footer says, and what of it must never be left out.
fn footer_items(keymap: &Keymap, context: Context) -> (Vec<Item>, Vec<Item>) {
    let mut items: Vec<Item> = Vec::new();
    let all = keymap.rows(context).chain(context.fallback().into_iter().flat_map(|context| keymap.rows(context)));
    for binding in all.filter(|binding| !binding.short.is_empty()) {
        let Some(key) = binding.keys.first().map(|&key| (key_name(key), binding.action)) else { continue };
        match items.last_mut() {
            Some(item) if item.short == binding.short => item.keys.push(key),
            Some(_) | None => items.push(Item { keys: vec![key], short: binding.short }),
        }
    }
    items.into_iter().partition(|item| !matches!(item.short, "all" | "help" | "quit" | "close" | "leave"))
}
