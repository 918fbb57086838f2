//! Figures as LaTeX tables, to be pasted into a paper: booktabs, a caption that says everything, nothing that is a command.

use std::fmt::Write as _;
use std::io::Write;

use super::cells::{Cells, Side};
use super::{ExportError, Exporter, inert};
use crate::figure::{Figure, Provenance};

/// A `table` with a `tabular` for each figure; it needs the package booktabs and the encoding UTF-8.
pub struct Latex;

impl Exporter for Latex {
    fn name(&self) -> &'static str {
        "latex"
    }

    fn extension(&self) -> &'static str {
        "tex"
    }

    fn write(&self, figures: &[Figure], out: &mut dyn Write) -> Result<(), ExportError> {
        for (index, figure) in figures.iter().enumerate() {
            if index > 0 {
                writeln!(out)?;
            }
            write!(out, "{}", tables(figure))?;
        }
        Ok(())
    }
}

/// Rows that fit on a page; a table does not break.
const ROWS: usize = 42;

/// One table, or several that go on where a page ends.
fn tables(figure: &Figure) -> String {
    let cells = Cells::of(&figure.content);
    let parts = cells.rows.chunks(ROWS).enumerate().map(|(at, rows)| match at {
        0 => table(&cells, rows, &caption(figure)),
        _ => table(&cells, rows, &format!("{} (continued)", escaped(&figure.title))),
    });
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() { table(&cells, &[], &caption(figure)) } else { parts.join("\n") }
}

fn table(cells: &Cells, rows: &[Vec<String>], caption: &str) -> String {
    let side = |side: &Side| match side {
        Side::Left => 'l',
        Side::Right => 'r',
    };
    let sides: String = cells.heading.iter().map(|(_, of)| side(of)).collect();
    let heading = row(cells.heading.iter().map(|(name, _)| name.as_str()));
    let mut out = format!("\\begin{{table}}[htbp]\n\\centering\n\\caption{{{caption}}}\n");
    let _ = write!(out, "\\begin{{tabular}}{{{sides}}}\n\\toprule\n{heading}\\midrule\n");
    for cells in rows {
        out += &row(cells.iter().map(String::as_str));
    }
    out += "\\bottomrule\n\\end{tabular}\n\\end{table}\n";
    out
}

fn row<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let cells: Vec<String> = cells.map(escaped).collect();
    // in braces, what stands in brackets first is no option of the line before
    format!("{} \\\\\n", cells.iter().map(|cell| format!("{{{cell}}}")).collect::<Vec<_>>().join(" & "))
}

/// Title, what is shown, and where the numbers come from.
pub(super) fn caption(figure: &Figure) -> String {
    let mut text = format!("{}. {}", figure.title, figure.caption);
    if figure.provenance != Provenance::default() {
        text.push(' ');
        text += &figure.provenance.sentence();
    }
    escaped(&text)
}

/// On one line, with nothing that is a command; what the fonts of a plain document lack is spelled as its code point.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in inert::line(text).chars() {
        match c {
            '\\' => out.push_str("\\textbackslash{}"),
            '{' | '}' | '$' | '&' | '#' | '_' | '%' => out.extend(['\\', c]),
            '~' => out.push_str("\\textasciitilde{}"),
            '^' => out.push_str("\\textasciicircum{}"),
            '<' => out.push_str("\\textless{}"),
            '>' => out.push_str("\\textgreater{}"),
            '|' => out.push_str("\\textbar{}"),
            '"' => out.push_str("\\char34{}"),
            '`' => out.push_str("\\textasciigrave{}"),
            '\'' => out.push_str("\\textquotesingle{}"),
            // two of them would be joined into one sign
            '-' | '?' | '!' | ',' => out.extend([c, '{', '}']),
            '␣' => out.push_str("\\textvisiblespace{}"),
            '↵' => out.push_str("\\textbackslash{}n"),
            '−' => out.push_str("\\textminus{}"),
            '→' => out.push_str("\\textrightarrow{}"),
            '…' => out.push_str("\\ldots{}"),
            '–' => out.push_str("\\textendash{}"),
            '·' => out.push_str("\\textperiodcentered{}"),
            '‖' => out.push_str("\\textbardbl{}"),
            '±' | '×' | '÷' | 'À'..='ÿ' | ' '..='~' => out.push(c),
            c => {
                let _ = write!(out, "\\textlangle{{}}{:04X}\\textrangle{{}}", u32::from(c));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_stranger_is_a_command() {
        let hostile = r"\input{/etc/passwd} \write18{x} a_b^c $x$ 50% #1 ~ {}";
        let found = escaped(hostile);
        assert!(found.starts_with("\\textbackslash{}input\\{/etc/passwd\\} \\textbackslash{}write18\\{x\\} a\\_b"));
        assert!(found.ends_with("\\textasciicircum{}c \\$x\\$ 50\\% \\#1 \\textasciitilde{} \\{\\}"), "{found}");
        assert_eq!(
            escaped("--a ``b''"),
            "-{}-{}a \\textasciigrave{}\\textasciigrave{}b\\textquotesingle{}\\textquotesingle{}"
        );
        assert_eq!(
            escaped("␣naïve中\u{1b}"),
            "\\textvisiblespace{}naïve\\textlangle{}4E2D\\textrangle{}\\textbackslash{}u\\{1b\\}"
        );
        assert_eq!(row(["[3pt]", "a&b"].into_iter()), "{[3pt]} & {a\\&b} \\\\\n");
    }
}
