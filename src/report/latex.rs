//! A report as a LaTeX document: its tables as booktabs tables, what can be drawn as pictures beside it.

use super::{Block, Files, Report, ReportError};
use crate::export::{ExportError, Exporter as _, Latex, Png, inert_latex, latex_caption};
use crate::figure::{Content, Figure};

const HEAD: &str = "\\documentclass{article}\n\\usepackage[utf8]{inputenc}\n\\usepackage[T1]{fontenc}\n\\usepackage{textcomp}\n\
                    \\usepackage{booktabs}\n\\usepackage{graphicx}\n\\usepackage[margin=2.5cm]{geometry}\n\\setlength{\\belowcaptionskip}{4pt}\n";

/// Writes it; pictures will be in `folder`.
pub(super) fn write(report: &Report, folder: &str) -> Result<Files, ReportError> {
    let mut files = Files::default();
    let mut text =
        format!("{HEAD}\\title{{{}}}\n\\date{{}}\n\\begin{{document}}\n\\maketitle\n", inert_latex(&report.title));
    text += &format!("{}\n", inert_latex(&report.about));
    for section in &report.sections {
        text += &format!("\n\\section{{{}}}\n", inert_latex(&section.title));
        section.text.iter().for_each(|line| text += &format!("\n{}\n", inert_latex(line)));
        for block in &section.blocks {
            if let Block::Figure(figure) = block {
                text += &format!("\n{}", of_figure(figure, folder, &mut files)?);
            }
        }
    }
    text += "\n\\section{Provenance}\n\n\\begin{description}\n";
    for fact in &report.facts {
        text += &format!("\\item[{{{}}}] {}\n", inert_latex(&fact.name), inert_latex(&fact.value));
    }
    text += "\\end{description}\n\\end{document}\n";
    files.main = text.into_bytes();
    Ok(files)
}

/// A table as a table, everything else as a picture if it has one.
fn of_figure(figure: &Figure, folder: &str, files: &mut Files) -> Result<String, ReportError> {
    let drawn = match &figure.content {
        Content::Table(_) => None,
        _ => drawn(figure)?,
    };
    let Some(picture) = drawn else {
        let mut table = Vec::new();
        Latex.write(std::slice::from_ref(figure), &mut table)?;
        let table = String::from_utf8_lossy(&table).into_owned();
        // a wide table is made as wide as the page
        return Ok(table
            .replace(
                "\\begin{tabular}",
                "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{\\begin{tabular}",
            )
            .replace("\\end{tabular}", "\\end{tabular}}"));
    };
    let name = format!("figure-{}.png", files.beside.len() + 1);
    let caption = latex_caption(figure);
    files.beside.insert(name.clone(), picture);
    Ok(format!(
        "\\begin{{figure}}[htbp]\n\\centering\n\\includegraphics[width=\\linewidth,height=0.8\\textheight,keepaspectratio]{{{folder}/{name}}}\n\
         \\caption{{{caption}}}\n\\end{{figure}}\n"
    ))
}

fn drawn(figure: &Figure) -> Result<Option<Vec<u8>>, ReportError> {
    let mut picture = Vec::new();
    match Png.write(std::slice::from_ref(figure), &mut picture) {
        Ok(()) => Ok(Some(picture)),
        Err(ExportError::Undrawable { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
