//! A patching grid that tells its cells as they come, so that it can be watched while it is filled.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{EngineError, Event, EventSink, Loaded, Named, Outcome, Progress};
use crate::model::CancelToken;
use crate::probe::patching::{Cell, Filled, Grid, Request};
use crate::text::Prompt;

/// What is patched into what.
#[derive(Debug, Clone, PartialEq)]
pub struct PatchWork {
    /// The tokens of the clean and of the corrupted prompt.
    pub ids: [Vec<u32>; 2],
    /// What is patched, how, and what is measured.
    pub request: Request,
    /// The only block that is patched; every block if none.
    pub layer: Option<usize>,
    /// Cells that are known, where a grid is gone on with.
    pub known: Vec<Cell>,
}

/// What is known of a grid before its first cell.
#[derive(Debug, Clone, PartialEq)]
pub struct PatchFrame {
    /// What was asked for.
    pub request: Request,
    /// The only block that is patched.
    pub layer: Option<usize>,
    /// Blocks of the model.
    pub n_layers: usize,
    /// Heads of a block, where heads are patched.
    pub n_heads: Option<usize>,
    /// Positions up to the one asked about.
    pub n_pos: usize,
    /// Cells in all.
    pub n_cells: usize,
    /// Token A.
    pub token: Named,
    /// Token B.
    pub versus: Option<Named>,
    /// The metric on the clean and on the corrupted prompt; logit differences where recovery is measured.
    pub plain: [f64; 2],
    /// The metric of the run that is patched.
    pub base: f64,
}

/// How many cells of a grid are told at a time: those of this long.
const GATHER: Duration = Duration::from_millis(50);

/// How many figures list the strongest cells.
const N_STRONGEST: usize = 20;

/// Fills a grid; what was told before it is cancelled remains true.
pub(super) fn patch(
    loaded: &Loaded,
    work: PatchWork,
    cancel: &CancelToken,
    sink: &mut dyn EventSink,
) -> Result<Outcome, EngineError> {
    let d_vocab = loaded.info.config.d_vocab;
    let [clean, corrupted] = work.ids;
    let prompts = [Prompt::from_ids(clean, d_vocab)?, Prompt::from_ids(corrupted, d_vocab)?];
    let prompts = [&prompts[0], &prompts[1]];
    let mut grid = Grid::new(&loaded.decoder, &loaded.tokenizer, prompts, work.request, cancel)?;
    if let Some(layer) = work.layer {
        super::job::check("layer", layer, loaded.info.config.n_layers)?;
        grid = grid.of_layer(layer);
    }
    sink.send(Event::PatchBegun(Arc::new(frame(loaded, &grid, work.layer)?)));
    let n_known = work.known.len();
    let mut teller = Teller { begun: Instant::now(), told: Instant::now(), n_known, cells: Vec::new(), sink };
    let cells = grid.fill_rest(work.known, cancel, &mut |filled| teller.take(filled))?;
    let figures = grid.figures(&cells, &loaded.tokenizer, &loaded.provenance(Some(prompts[0])), N_STRONGEST)?;
    Ok(Outcome::Patched(figures.into_iter().map(Arc::new).collect()))
}

fn frame(loaded: &Loaded, grid: &Grid<'_>, layer: Option<usize>) -> Result<PatchFrame, EngineError> {
    let named = |id| Named { id, visible: loaded.tokenizer.visible(id) };
    let (cfg, request, target) = (&loaded.info.config, grid.request(), grid.target());
    Ok(PatchFrame {
        request,
        layer,
        n_layers: cfg.n_layers,
        n_heads: request.site.n_heads(cfg),
        n_pos: target.position + 1,
        n_cells: grid.cells().len(),
        token: named(target.token),
        versus: target.versus.map(named),
        plain: grid.plain(),
        base: grid.base_value()?,
    })
}

/// Gathers cells, and tells them with the time that the rest will take.
struct Teller<'a> {
    begun: Instant,
    told: Instant,
    /// Cells that took no time.
    n_known: usize,
    cells: Vec<Cell>,
    sink: &'a mut dyn EventSink,
}

impl Teller<'_> {
    fn take(&mut self, filled: Filled) {
        self.cells.push(filled.cell);
        let now = Instant::now();
        if filled.done < filled.total && now - self.told < GATHER {
            return;
        }
        self.told = now;
        let share = (filled.total - filled.done) as f64 / filled.done.saturating_sub(self.n_known).max(1) as f64;
        let left = (now - self.begun).mul_f64(share);
        self.sink.send(Event::Cells { cells: std::mem::take(&mut self.cells), left });
        self.sink.send(Event::Progress(Progress { done: filled.done, total: filled.total, unit: "cells" }));
    }
}
