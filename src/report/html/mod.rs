//! A report as one page of HTML that asks for nothing else: no network, no font, no other file.
//!
//! The engine escapes every value; what may run is named by its hash in the page's own policy, so that a text which got
//! through would still do nothing. Data for the scripts are JSON that cannot end its element.

mod block;

use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, context};
use sha2::{Digest as _, Sha256};

use super::check::leave_items_out;
use super::packed::pack;
use super::{Report, ReportError};
use crate::export::inert_line;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("page.js");

/// The page.
///
/// # Errors
/// If a block cannot be packed or the template fails, which would be a mistake here.
pub fn page(report: &Report) -> Result<String, ReportError> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_template("page", PAGE)?;
    let mut n = 0;
    let mut sections = Vec::with_capacity(report.sections.len());
    for section in &report.sections {
        let mut blocks = Vec::with_capacity(section.blocks.len());
        for block in &section.blocks {
            n += 1;
            blocks.push(block::view(block, n)?);
        }
        let text: Vec<String> = section.text.iter().map(|line| shown(line)).collect();
        sections.push(context! { title => shown(&section.title), text => text, blocks => blocks });
    }
    let facts: Vec<Value> =
        report.facts.iter().map(|fact| context! { name => shown(&fact.name), value => shown(&fact.value) }).collect();
    let page = environment.get_template("page")?.render(context! {
        title => shown(&report.title),
        about => shown(&report.about),
        version => env!("CARGO_PKG_VERSION"),
        style => STYLE,
        style_hash => hash(STYLE),
        script => SCRIPT,
        script_hash => hash(SCRIPT),
        sections => sections,
        facts => facts,
        packed => block::verbatim(pack(&serde_json::to_vec(&checked(report)?)?)?),
    })?;
    Ok(page)
}

/// What `--check` compares: everything but the items, which are in the page once, and whose hash is there.
fn checked(report: &Report) -> Result<serde_json::Value, ReportError> {
    let mut value = report.json()?;
    leave_items_out(&mut value);
    Ok(value)
}

fn shown(text: &str) -> String {
    inert_line(text).into_owned()
}

/// A text as the policy of a page names it.
fn hash(text: &str) -> String {
    use base64::Engine as _;
    format!("sha256-{}", base64::prelude::BASE64_STANDARD.encode(Sha256::digest(text.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scripts_are_the_text_that_the_policy_names() {
        // in an element, `</` would end it, and what the engine might change would have another hash
        for text in [STYLE, SCRIPT] {
            assert!(!text.contains("</") && !text.contains("<!--"));
        }
        let report = Report {
            title: "t".into(),
            about: String::new(),
            arguments: Vec::new(),
            facts: Vec::new(),
            sections: Vec::new(),
        };
        let page = page(&report).unwrap();
        // in an attribute, the engine spells `/`
        let hashes = [STYLE, SCRIPT].map(|text| hash(text).replace('/', "&#x2f;"));
        assert!(page.contains(SCRIPT) && page.contains(STYLE) && hashes.iter().all(|hash| page.contains(hash)));
    }
}
