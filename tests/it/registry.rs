//! A file in a registry's folder that its slice does not list is noticed here.

use std::collections::BTreeSet;
use std::fs;

use lmscope::{export, intervene, lens, model::arch, probe, verify};

use crate::support::project;

fn files(folder: &str, not: &[&str]) -> BTreeSet<String> {
    let entries = fs::read_dir(project(folder)).unwrap();
    let stems = entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned());
    stems.filter(|stem| !not.contains(&stem.as_str())).collect()
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    names.map(|name| name.replace('-', "_")).collect()
}

#[test]
fn every_file_of_a_registry_is_registered_under_its_name() {
    assert_eq!(
        files("src/lens", &["mod", "atlas", "pattern", "target", "tuned"]),
        names(lens::LENSES.iter().map(|lens| lens.name()))
    );
    assert_eq!(
        files("src/probe", &["mod", "diff", "explain", "input", "patching", "path", "steering"]),
        names(probe::PROBES.iter().map(|probe| probe.name()))
    );
    assert_eq!(files("src/intervene/kind", &["mod"]), names(intervene::INTERVENTIONS.iter().map(|kind| kind.name())));
    assert_eq!(
        files("src/export", &["mod", "cells", "error", "font", "inert", "plot"]),
        names(export::EXPORTERS.iter().map(|exporter| exporter.name()))
    );
    let invariants = verify::INVARIANTS.iter().map(|invariant| invariant.name());
    assert_eq!(files("src/verify/invariant", &["mod"]), names(invariants));
    assert_eq!(
        files("src/model/arch", &["mod", "family", "gguf_names", "gguf_rope", "names", "reader", "rope", "view"]),
        names(arch::ARCHITECTURES.iter().map(|arch| arch.name()))
    );
}

#[test]
fn what_an_entry_says_about_itself_is_a_sentence_without_a_period() {
    let lenses = lens::LENSES.iter().map(|lens| (lens.name(), lens.about()));
    let invariants = verify::INVARIANTS.iter().map(|invariant| (invariant.name(), invariant.about()));
    let probes = probe::PROBES.iter().map(|probe| (probe.name(), probe.about()));
    let kinds = intervene::INTERVENTIONS.iter().map(|kind| (kind.name(), kind.about()));
    for (name, about) in lenses.chain(invariants).chain(probes).chain(kinds) {
        assert!(!about.ends_with('.') && about.len() > 10, "{name}");
    }
}
