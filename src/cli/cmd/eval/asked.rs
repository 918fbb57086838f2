//! How the items of a suite are put to a model: options that several subcommands have.

use crate::eval::PrepareOptions;
use crate::eval::prepare::{Chat, FEWSHOT_SEED, Turns};
use crate::hub::Cache;
use crate::text::ChatTemplate;

/// Examples, chat and system message.
#[derive(clap::Args, Clone)]
pub(super) struct AskArgs {
    /// Examples before each item, whatever the task's file says
    #[arg(long, value_name = "N")]
    num_fewshot: Option<usize>,
    /// Seed of the examples, as lm-evaluation-harness draws them
    #[arg(long, value_name = "SEED", default_value_t = FEWSHOT_SEED)]
    fewshot_seed: u64,
    /// Ask through the model's chat template; --chat=one puts examples and question into one message
    #[arg(long, value_enum, value_name = "TURNS", num_args = 0..=1, require_equals = true, default_missing_value = "each")]
    chat: Option<ChatTurns>,
    /// What the system says first, before the description of the suite
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
}

/// How examples stand in a chat.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(super) enum ChatTurns {
    /// Each question and each answer is a message
    Each,
    /// Examples and question are one message
    One,
}

/// A chat is asked for, and the model has no template.
#[derive(Debug, thiserror::Error)]
#[error("ask `{model}` through its chat template: it has none")]
pub(in crate::cli) struct NoTemplate {
    model: String,
}

impl NoTemplate {
    /// What to do about it.
    pub(in crate::cli) fn hint(&self) -> String {
        let model = &self.model;
        format!(
            "leave out --chat, or choose a model that was trained on chats: `lmscope info {model}` says whether it has a template"
        )
    }
}

impl AskArgs {
    /// The same, with the chat of another model.
    pub(super) fn with_chat(&self, chat: Option<ChatTurns>) -> Self {
        Self { chat, ..self.clone() }
    }

    /// What a suite is prepared with; `template` is that of the model, which is called `model`; data sets of the hub
    /// are looked up in `hub`.
    pub(super) fn options<'a>(
        &'a self,
        seed: u64,
        (template, model): (Option<&'a ChatTemplate>, &str),
        hub: &'a Cache,
    ) -> Result<PrepareOptions<'a>, NoTemplate> {
        let chat = match (self.turns(), template) {
            (None, _) => None,
            (Some(turns), Some(template)) => Some(Chat { template, turns }),
            (Some(_), None) => return Err(NoTemplate { model: model.to_owned() }),
        };
        let (fewshot_seed, num_fewshot, system) = (self.fewshot_seed, self.num_fewshot, self.system());
        Ok(PrepareOptions { seed, fewshot_seed, num_fewshot, chat, system, hub: Some(hub) })
    }

    /// How examples stand in a chat, if it is one.
    pub(super) fn turns(&self) -> Option<Turns> {
        self.chat.map(|turns| match turns {
            ChatTurns::Each => Turns::Each,
            ChatTurns::One => Turns::One,
        })
    }

    /// What the system says.
    pub(super) fn system(&self) -> Option<&str> {
        self.system.as_deref()
    }
}
