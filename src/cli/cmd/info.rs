//! `lmscope info`

use std::io::Write as _;

use serde_json::json;

use crate::cli::Exit;
use crate::cli::args::ModelArgs;
use crate::cli::output::Output;
use crate::engine::ModelInfo;

#[derive(clap::Args)]
#[command(after_help = "Example:\n  lmscope info -m model.gguf --format json")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    format: InfoFormat,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum InfoFormat {
    /// Aligned text
    Table,
    /// JSON
    Json,
}

pub(in crate::cli) fn run(args: &Args, out: &mut Output) -> anyhow::Result<Exit> {
    let info = args.model.open()?.info;
    match args.format {
        InfoFormat::Json => {
            let facts: serde_json::Map<_, _> =
                facts(&info).into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            serde_json::to_writer_pretty(&mut *out, &facts)?;
            writeln!(out)?;
        }
        InfoFormat::Table => {
            for (name, value) in facts(&info) {
                let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
                writeln!(out, "{name:<16} {text}")?;
            }
        }
    }
    Ok(Exit::Done)
}

fn facts(info: &ModelInfo) -> Vec<(&'static str, serde_json::Value)> {
    let cfg = &info.config;
    vec![
        ("model", json!(info.name)),
        ("architecture", json!(cfg.architecture)),
        ("parameters", json!(cfg.n_params())),
        ("n_layers", json!(cfg.n_layers)),
        ("d_model", json!(cfg.d_model)),
        ("n_heads", json!(cfg.n_heads)),
        ("n_kv_heads", json!(cfg.n_kv_heads)),
        ("d_head", json!(cfg.d_head)),
        ("d_mlp", json!(cfg.d_mlp)),
        ("d_vocab", json!(cfg.d_vocab)),
        ("n_ctx", json!(cfg.n_ctx)),
        ("precision", json!(info.precision.describe())),
        ("adds_bos", json!(info.adds_bos)),
        ("chat_template", json!(info.has_chat_template)),
        ("fingerprint", json!(info.fingerprint)),
    ]
}
