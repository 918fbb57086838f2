//! What a user types to name many hooks: `blocks.3-5.attn.hook_pattern`, `blocks.*.hook_resid_post`, `*.hook_z`.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::point::{find_site, split_layer, unknown};
use super::{Error, HookPoint, Scope, Site};

/// A set of hook points: some sites, in some layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SitePattern {
    text: String,
    layers: Layers,
    sites: Vec<Site>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Layers {
    All,
    Range(RangeInclusive<usize>),
}

impl SitePattern {
    /// Whether this point is in the set.
    pub fn matches(&self, at: HookPoint) -> bool {
        let in_layers = match (&self.layers, at.layer()) {
            (Layers::All, _) | (Layers::Range(_), None) => true,
            (Layers::Range(range), Some(layer)) => range.contains(&layer),
        };
        in_layers && self.sites.contains(&at.site())
    }

    /// Parses a comma-separated list of patterns.
    pub fn parse_list(list: &str) -> Result<Vec<Self>, Error> {
        list.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::parse).collect()
    }
}

impl fmt::Display for SitePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for SitePattern {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (layers, sites) = if text == "*" {
            (Layers::All, Site::ALL.to_vec())
        } else if let Some(suffix) = text.strip_prefix("*.") {
            (Layers::All, ending_with(suffix))
        } else {
            let (layer, rest) = split_layer(text);
            match layer {
                None => (Layers::All, find_site(rest, Scope::Model).into_iter().collect()),
                Some(layer) => (parse_layers(layer, text)?, block_sites(rest)),
            }
        };
        if sites.is_empty() {
            return Err(unknown(text));
        }
        Ok(Self { text: text.into(), layers, sites })
    }
}

/// `*.hook_z` finds `attn.hook_z`: a name, or its last parts.
fn ending_with(suffix: &str) -> Vec<Site> {
    let is_end = |name: &str| name == suffix || name.strip_suffix(suffix).is_some_and(|head| head.ends_with('.'));
    Site::ALL.iter().copied().filter(|site| is_end(site.name())).collect()
}

fn block_sites(name: &str) -> Vec<Site> {
    let of_blocks = |site: &Site| site.scope() == Scope::Block;
    if name == "*" {
        return Site::ALL.iter().copied().filter(of_blocks).collect();
    }
    match name.strip_suffix(".*") {
        Some(module) => {
            let prefix = format!("{module}.");
            Site::ALL.iter().copied().filter(of_blocks).filter(|site| site.name().starts_with(&prefix)).collect()
        }
        None => find_site(name, Scope::Block).into_iter().collect(),
    }
}

fn parse_layers(text: &str, name: &str) -> Result<Layers, Error> {
    let bad = || Error::Layer { found: text.into(), name: name.into() };
    let number = |part: &str| part.parse::<usize>().map_err(|_| bad());
    match text.split_once('-') {
        _ if text == "*" => Ok(Layers::All),
        Some((first, last)) => {
            let range = number(first)?..=number(last)?;
            if range.is_empty() { Err(bad()) } else { Ok(Layers::Range(range)) }
        }
        None => number(text).map(|layer| Layers::Range(layer..=layer)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, yes: &[&str], no: &[&str]) {
        let parsed: SitePattern = pattern.parse().unwrap();
        for name in yes {
            assert!(parsed.matches(name.parse().unwrap()), "{pattern} must match {name}");
        }
        for name in no {
            assert!(!parsed.matches(name.parse().unwrap()), "{pattern} must not match {name}");
        }
    }

    #[test]
    fn patterns_name_what_a_user_means() {
        check(
            "blocks.*.attn.hook_pattern",
            &["blocks.0.attn.hook_pattern", "blocks.31.attn.hook_pattern"],
            &["blocks.0.attn.hook_q"],
        );
        check(
            "blocks.3-5.hook_resid_post",
            &["blocks.3.hook_resid_post", "blocks.5.hook_resid_post"],
            &["blocks.2.hook_resid_post", "blocks.6.hook_resid_post"],
        );
        check("blocks.1.attn.*", &["blocks.1.attn.hook_z"], &["blocks.0.attn.hook_z", "blocks.1.mlp.hook_post"]);
        check("*.hook_scale", &["ln_final.hook_scale", "blocks.0.ln2.hook_scale"], &["hook_embed"]);
        check("hook_embed", &["hook_embed"], &["hook_pos_embed"]);
        check("*", &["hook_embed", "blocks.9.attn.hook_result"], &[]);
    }

    #[test]
    fn wrong_patterns_are_refused() {
        for text in ["blocks.5-3.hook_resid_pre", "blocks.a.hook_resid_pre", "blocks..hook_resid_pre"] {
            assert!(matches!(text.parse::<SitePattern>(), Err(Error::Layer { .. })), "{text}");
        }
        for text in ["", "hook_residual", "blocks.0.hook_embed", "*.pattern"] {
            assert!(matches!(text.parse::<SitePattern>(), Err(Error::Unknown { .. })), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn parsing_never_panics(text in ".{0,40}") {
            let _ = text.parse::<SitePattern>();
            let _ = text.parse::<HookPoint>();
        }
    }
}
