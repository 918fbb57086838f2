//! `lmscope tui`

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::cli::Exit;
use crate::cli::args::{BosArgs, ConfigArgs, ModelArgs, head_store, rescue_file, saved_model, settings};
use crate::cli::output::Output;
use crate::eval::builtin::BUILTIN;
use crate::lens::LENSES;
use crate::probe::PROBES;
use crate::session::{EXTENSION, Saved};
use crate::tui::glyph::Glyphs;
use crate::tui::theme::{Depth, Wanted};
use crate::tui::{self, Log, Offer, SessionOptions, TuiOptions};

#[derive(clap::Args)]
#[command(after_help = "Example:\n  lmscope tui \"Tom Cruise's mother is\" -m slide")]
pub(in crate::cli) struct Args {
    /// The text to start from, or a session: a file whose name ends in .lmscope
    #[arg(value_name = "PROMPT")]
    prompt: Option<String>,
    /// Go on with a session that was saved
    #[arg(long, value_name = "FILE", conflicts_with_all = ["prompt", "recover"])]
    session: Option<PathBuf>,
    /// Go on with the session that was left when the program was last ended from outside
    #[arg(long, conflicts_with = "prompt")]
    recover: bool,
    /// Write what the program does, and when, to this file
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Colours: as the environment says, or these
    #[arg(long, value_name = "LEVEL", value_enum, default_value_t, alias = "color")]
    colour: Colour,
    /// Draw with ASCII alone, as is done in a locale without UTF-8
    #[arg(long)]
    ascii: bool,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    bos: BosArgs,
}

/// Colours that can be asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Colour {
    /// By `COLORTERM`, `TERM` and `NO_COLOR`
    #[default]
    Auto,
    /// 24 bits
    Truecolor,
    /// 256
    #[value(name = "256")]
    Indexed,
    /// 16
    #[value(name = "16")]
    Sixteen,
    /// None: shades stand for colours
    None,
}

impl Colour {
    const fn depth(self) -> Option<Depth> {
        match self {
            Self::Auto => None,
            Self::Truecolor => Some(Depth::True),
            Self::Indexed => Some(Depth::Indexed),
            Self::Sixteen => Some(Depth::Sixteen),
            Self::None => Some(Depth::Mono),
        }
    }
}

impl Args {
    /// The session to go on with.
    fn file(&self) -> Option<PathBuf> {
        let named = self.prompt.as_deref().map(Path::new);
        let named = named.filter(|file| file.extension().is_some_and(|end| end == EXTENSION));
        let recovered = self.recover.then(|| rescue_file(&self.model.model));
        self.session.clone().or(recovered).or_else(|| named.map(Path::to_owned))
    }
}

pub(in crate::cli) fn run(args: Args, out: &mut Output) -> anyhow::Result<Exit> {
    let config = args.config.load()?;
    let file = args.file();
    let resumed = file.as_deref().map(Saved::load).transpose()?;
    let model = match &resumed {
        Some(saved) => ModelArgs { max_memory: args.model.max_memory, ..saved_model(saved) },
        None => args.model,
    };
    let rescue = rescue_file(&model.model);
    let is_left = !args.recover && rescue.is_file();
    let session = SessionOptions {
        model: model.model.clone(),
        resumed,
        notice: is_left
            .then(|| "a session was left when lmscope was ended: `lmscope --recover` goes on with it".to_owned()),
        rescue: Some(rescue.clone()),
    };
    let options = TuiOptions {
        source: model.source_within_memory()?,
        options: model.options(),
        prompt: args.prompt.filter(|_| file.is_none()),
        bos: args.bos.bos,
        heads: Some(head_store()),
        session,
        offers: offers(),
        cache: Some(settings().cache),
        keymap: config.keymap,
        settings: config.settings,
        mouse: config.mouse,
        look: Wanted {
            ground: config.ground,
            depth: args.colour.depth().or(config.depth),
            glyphs: args.ascii.then_some(Glyphs::Ascii),
            palette: config.palette,
        },
    };
    let end = out.cancel();
    let log = match &args.log {
        Some(file) => {
            Log::to(Box::new(File::create(file).with_context(|| format!("cannot write `{}`", file.display()))?))
        }
        None => Log::none(),
    };
    tui::run(options, &end, log)?;
    if end.is_cancelled() {
        return Ok(Exit::Interrupted);
    }
    if args.recover {
        // it was looked at and left by the user's own will
        let _ = std::fs::remove_file(rescue);
    }
    Ok(Exit::Done)
}

/// The lenses and the suites, for the palette.
fn offers() -> Vec<Offer> {
    let lens = |name: &str, about: &str| Offer {
        kind: "lens",
        name: name.into(),
        about: about.into(),
        command: format!("lmscope lens {name} {{prompt}} -m {{model}}"),
    };
    let lenses = LENSES.iter().map(|entry| lens(entry.name(), entry.about()));
    let probes = PROBES.iter().map(|entry| lens(entry.name(), entry.about()));
    let suites = BUILTIN.iter().map(|suite| Offer {
        kind: "suite",
        name: suite.name.into(),
        about: title(suite.readme),
        command: format!("lmscope eval run {} -m {{model}}", suite.name),
    });
    lenses.chain(probes).chain(suites).collect()
}

/// The heading of a page.
fn title(readme: &str) -> String {
    readme.lines().next().unwrap_or_default().trim_start_matches("# ").to_owned()
}
