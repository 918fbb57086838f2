//! `lmscope report explain`

use super::facts;
use super::target::TargetFile;
use crate::cli::args::{ModelArgs, PromptArgs, TargetArgs};
use crate::cli::cmd::patch;
use crate::cli::output::Output;
use crate::engine::{Loaded, Overview, overview, overview_plan};
use crate::export::inert_line;
use crate::figure::{Cell, Column, Content, Figure, Provenance, Table};
use crate::lens::{Ask, Question};
use crate::probe::explain::{Explanation, explain};
use crate::probe::patching::{Direction, Measure, Metric, PatchSite, Request};
use crate::probe::{InputOptions, Subject};
use crate::report::{Attention, Block, Fact, Patterns, Report, Section};
use crate::text::Prompt;

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  lmscope report explain \"Tom Cruise's mother is\" -o why.html\n  lmscope report explain \"The cat sat on a\" --corrupted \"The dog sat on a\" -o cat.html"
)]
pub(super) struct Args {
    #[command(flatten)]
    prompt: PromptArgs,
    /// A prompt of as many tokens: also show which activations of the first one bring its answer into this one
    #[arg(long, value_name = "PROMPT")]
    corrupted: Option<String>,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    pub(super) target_file: TargetFile,
}

pub(super) fn build(args: &Args, out: &mut Output) -> anyhow::Result<Report> {
    let loaded = args.model.open(out)?;
    let prompt = args.prompt.tokenise(&loaded)?;
    let atlas = args.model.measured_heads(&loaded, out)?;
    let (ask, atlas) = (args.target.ask(&loaded.tokenizer)?, Some(atlas));
    let question = Question { ask, atlas, top: TOP, ..Question::default() };
    let cfg = &loaded.info.config;
    let needed = overview_plan(cfg, &question).bytes(cfg, prompt.ids.len()).div_ceil(1 << 20);
    args.model.allow("report", needed, "shorten the prompt, or raise --max-memory")?;
    let (provenance, cancel) = (loaded.provenance(Some(&prompt)), out.cancel());
    let subject = Subject {
        lm: &loaded.decoder,
        tokenizer: &loaded.tokenizer,
        prompt: &prompt,
        provenance: &provenance,
        question: &question,
        inputs: InputOptions::default(),
        atlas: question.atlas.as_ref(),
        cancel: &cancel,
    };
    let explained = explain(&subject, &mut |_| ())?;
    let mut patterns = Patterns::default();
    let mut failed = None;
    let mut keep = |pattern: &[Vec<f32>]| failed = failed.take().or(patterns.take(pattern).err());
    let seen = overview(&subject, &mut keep)?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    let mut facts = facts::of_model("model", &args.model, &loaded, out)?;
    facts.extend([
        Fact::subject("prompt", inert_line(&prompt.text)),
        Fact::subject("tokens", prompt.ids.len().to_string()),
        Fact::subject("BOS", prompt.bos.to_string()),
    ]);
    let patched = match &args.corrupted {
        Some(text) => Some(patched(&loaded, [&prompt, &args.prompt.tokenise_as_well(&loaded, text)?], ask, out)?),
        None => None,
    };
    facts.extend(args.corrupted.as_ref().map(|text| Fact::subject("corrupted prompt", inert_line(text))));
    let shown = Shown { explained: &explained, provenance: &provenance };
    let attention = shown.attention(cfg, &question, patterns)?;
    Ok(Report {
        title: format!("Why “{}” after “{}”", explained.token.text, inert_line(&prompt.text)),
        about: format!("One forward pass of {} ({}), explained.", explained.model, explained.precision),
        arguments: Vec::new(),
        facts,
        sections: shown.sections(seen, attention)?.into_iter().chain(patched).collect(),
    })
}

/// Which activations of the clean prompt bring its answer into the corrupted one.
fn patched(loaded: &Loaded, prompts: [&Prompt; 2], ask: Ask, out: &Output) -> anyhow::Result<Section> {
    let measure = Measure { direction: Direction::Denoise, metric: Metric::Recovery, ask };
    let request = Request { site: PatchSite::ResidPre, measure };
    let figures = patch::filled(loaded, prompts, request, (None, TOP), out)?;
    Ok(Section {
        title: "What carries it".into(),
        text: vec![
            "Activations of the prompt are put into a forward pass of the corrupted one, one cell at a time: 1 brings the \
             answer back whole, 0 changes nothing."
                .into(),
        ],
        blocks: figures.into_iter().map(Block::Figure).collect(),
    })
}

/// Entries of each kind.
const TOP: usize = 20;

/// An explanation that is being laid out.
struct Shown<'a> {
    explained: &'a Explanation,
    provenance: &'a Provenance,
}

impl Shown<'_> {
    fn sections(&self, seen: Overview, attention: Attention) -> anyhow::Result<Vec<Section>> {
        let figures = |figures: Vec<Figure>| figures.into_iter().map(Block::Figure).collect::<Vec<_>>();
        let next = [Block::Figure(seen.strip)].into_iter().chain(figures(seen.next)).collect();
        let why = [Block::Figure(seen.parts)].into_iter().chain(figures(seen.attribution)).collect();
        let heads = [Block::Attention(attention)].into_iter().chain(figures(seen.attention)).collect();
        let section = |title: &str, text: Vec<String>, blocks| Section { title: title.into(), text, blocks };
        Ok(vec![
            section("What comes next", vec![self.says()], next),
            section("What pushed it", vec![self.difference()], why),
            section("When it appeared", vec![self.layers()], figures(seen.layers)),
            section("Where heads look", vec![ATTENTION.into()], heads),
            section("What happens without it", vec![ABLATED.into()], vec![Block::Figure(self.ablations()?)]),
        ])
    }

    fn says(&self) -> String {
        let said: Vec<String> = self
            .explained
            .says
            .iter()
            .map(|said| format!("“{}” {:.1} %", said.token.text, 100.0 * said.prob))
            .collect();
        format!("After the prompt the model says {}; entropy {:.3} bits.", said.join(", "), self.explained.entropy_bits)
    }

    fn difference(&self) -> String {
        let explained = self.explained;
        let against = explained.versus.as_ref().map_or(String::new(), |versus| format!(" over “{}”", versus.text));
        format!(
            "What each part adds directly to the logit of “{}”{against}: {:+.3} in all, {:+.2e} of which the parts leave open.",
            explained.token.text, explained.logit_difference, explained.remainder
        )
    }

    fn layers(&self) -> String {
        let at = |layer: &Option<String>| layer.clone().unwrap_or_else(|| "no layer".into());
        format!(
            "The logit lens reads every layer as if it were the last. “{}” is first on top in {}, and stays there from {}.",
            self.explained.token.text,
            at(&self.explained.first_on_top),
            at(&self.explained.settles)
        )
    }

    fn attention(
        &self,
        cfg: &crate::model::DecoderConfig,
        question: &Question,
        patterns: Patterns,
    ) -> anyhow::Result<Attention> {
        let heads =
            (0..cfg.n_layers).flat_map(|layer| (0..cfg.n_heads).map(move |head| crate::hook::Head { layer, head }));
        let roles = heads.map(|head| question.role(head).unwrap_or_default().to_owned()).collect();
        let strongest = self.explained.heads.first().and_then(|push| push.head.parse::<crate::hook::Head>().ok());
        let chosen = strongest.map_or((0, 0), |head| (head.layer, head.head));
        Ok(patterns.finish(Attention {
            title: "Attention patterns of all heads".into(),
            caption:
                "Queries downwards, keys across; weights after the softmax, in steps of 1/255. The head that pushes \
                      most is shown first. Without the first token, what is left of a row is scaled up to 1."
                    .into(),
            tokens: self.explained.tokens.clone(),
            n_layers: cfg.n_layers,
            n_heads: cfg.n_heads,
            chosen,
            roles,
            side: 0,
            thumbnails: String::new(),
            heads: Vec::new(),
        })?)
    }

    fn ablations(&self) -> anyhow::Result<Figure> {
        let columns = ["without", "logit difference", "log-probability", "falls by", "on top"];
        let row = |ablation: &crate::probe::explain::Ablation| {
            vec![
                Cell::Text(ablation.specs.join(" ")),
                Cell::number(ablation.logit_difference, 3),
                Cell::number(ablation.logprob, 3),
                Cell::number(ablation.logprob_fall, 3),
                Cell::Text(ablation.top.clone()),
            ]
        };
        let rows = self.explained.ablations.iter().map(row).collect();
        let table = Table::new(columns.map(|name| Column::new(name, "")).to_vec(), rows)?;
        Ok(Figure {
            title: "Without the strongest components".into(),
            caption:
                "Each is taken out as --do would, and all together; the model is run again each time. Logits and nats."
                    .into(),
            provenance: self.provenance.clone(),
            content: Content::Table(table),
        })
    }
}

const ATTENTION: &str =
    "Choose a head in the grid or by the lists. Point at a token to see where it looks and who looks at it.";
const ABLATED: &str = "Direct contributions do not say what is necessary: here the strongest are taken out, and what the model \
                       says then is measured.";
