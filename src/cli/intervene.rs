//! Interventions that several commands take.

use clap::Args;

use crate::engine::Loaded;
use crate::figure::Provenance;
use crate::intervene::{Interventions, Runs, Spec};
use crate::model::CancelToken;
use crate::text::Prompt;

/// What is changed in the forward pass.
#[derive(Args, Clone, Default)]
pub(super) struct InterveneArgs {
    /// Change the forward pass, as in zero:L5H3, scale:L5.mlp*0.5 or knockout:L5H3:9->2 (docs/interventions.md has them all); may be repeated, and is done in order
    #[arg(long = "do", value_name = "SPEC")]
    specs: Vec<String>,
    /// The prompt that patch and resample take activations from
    #[arg(long, value_name = "PROMPT", requires = "specs")]
    clean: Option<String>,
    /// The text whose mean activations mean uses, in place of the prompt's
    #[arg(long, value_name = "TEXT", requires = "specs")]
    reference: Option<String>,
}

/// How a text that belongs to a prompt is tokenised.
pub(super) type Tokenise<'a> = &'a dyn Fn(&str) -> anyhow::Result<Prompt>;

impl InterveneArgs {
    /// Checks them against the model and the prompt, if there is one, and runs what they take activations from.
    pub(super) fn prepare(
        &self,
        loaded: &Loaded,
        prompt: Option<&Prompt>,
        tokenise: Tokenise<'_>,
        cancel: &CancelToken,
    ) -> anyhow::Result<Interventions> {
        let specs = Spec::parse_all(&self.specs)?;
        let other = |text: &Option<String>| text.as_deref().map(tokenise).transpose();
        let (clean, reference) = (other(&self.clean)?, other(&self.reference)?);
        let name = |text: &str| anyhow::Ok((text.to_owned(), tokenise(text)?.ids));
        let named = specs.iter().filter_map(Spec::prompt).map(name).collect::<Result<Vec<_>, _>>()?;
        let (clean, reference) = (ids(clean.as_ref()), ids(reference.as_ref()));
        let runs = Runs { ids: ids(prompt), clean, reference, named: &named };
        Ok(Interventions::prepare(&specs, &loaded.decoder, runs, cancel)?)
    }
}

fn ids(prompt: Option<&Prompt>) -> Option<&[u32]> {
    prompt.map(|prompt| prompt.ids.as_slice())
}

/// Where figures of an intervened run come from.
pub(super) fn provenance(loaded: &Loaded, prompt: &Prompt, interventions: &Interventions) -> Provenance {
    Provenance { interventions: interventions.specs().to_vec(), ..loaded.provenance(Some(prompt)) }
}
