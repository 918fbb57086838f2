//! Where a report goes.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::cli::output::Output;
use crate::disk;
use crate::report::{FORMATS, Format, Report};

/// The file of a report.
#[derive(clap::Args, Clone)]
pub(super) struct TargetFile {
    /// Where to write; its ending says how: .html .md .tex .json
    #[arg(short, long, value_name = "FILE", default_value = "report.html")]
    output: PathBuf,
}

impl TargetFile {
    pub(super) const fn new(output: PathBuf) -> Self {
        Self { output }
    }

    /// Finds out before the work what would stop it at its end.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        self.format()?;
        let file = &self.output;
        if file.is_dir() {
            bail!("cannot write `{}`: it is a folder", file.display());
        }
        if !disk::folder(file).is_dir() {
            bail!("cannot write `{}`: there is no folder `{}`", file.display(), disk::folder(file).display());
        }
        Ok(())
    }

    fn format(&self) -> anyhow::Result<&'static Format> {
        let ending = self.output.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        match FORMATS.iter().find(|format| format.extension.eq_ignore_ascii_case(ending)) {
            Some(format) => Ok(format),
            None => {
                let known: Vec<String> = FORMATS.iter().map(|format| format!(".{}", format.extension)).collect();
                bail!("cannot write `{}`: a report ends in {}", self.output.display(), known.join(" "))
            }
        }
    }

    /// Writes the report, its pictures first: a file that is there is complete.
    pub(super) fn write(&self, report: &Report, out: &mut Output) -> anyhow::Result<()> {
        let stem = self.output.file_stem().and_then(|stem| stem.to_str()).unwrap_or("report");
        // a name in Markdown and LaTeX has none of their signs
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' };
        let folder: String = format!("{stem}-figures").chars().map(plain).collect();
        let files = (self.format()?.write)(report, &folder)?;
        let pictures = disk::folder(&self.output).join(&folder);
        if !files.beside.is_empty() {
            fs::create_dir_all(&pictures).with_context(|| format!("cannot create `{}`", pictures.display()))?;
        }
        for (name, bytes) in &files.beside {
            write(&pictures.join(name), bytes)?;
        }
        write(&self.output, &files.main)?;
        writeln!(out, "{}", self.output.display())?;
        Ok(())
    }
}

fn write(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    disk::write_whole(file, bytes).with_context(|| format!("cannot write `{}`", file.display()))
}

/// The arguments of a report but for its file, which may be elsewhere next time.
pub(super) fn without_output(arguments: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            kept.push(word.clone());
            kept.extend(words.cloned());
            break;
        }
        match word.as_str() {
            "-o" | "--output" => {
                words.next();
            }
            _ if word.starts_with("--output=") || (word.starts_with("-o") && word.len() > 2) => {}
            _ => kept.push(word.clone()),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_file_is_left_out() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for given in
            ["explain hi -o a.html", "-o a.html explain hi", "explain -oa.html hi", "explain --output=a.html hi"]
        {
            assert_eq!(without_output(&words(given)), ["explain", "hi"], "{given}");
        }
        assert_eq!(without_output(&words("explain -- -o")), ["explain", "--", "-o"]);
    }
}
