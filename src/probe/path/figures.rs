//! The effects of all senders as a figure.

use super::{PatchError, PathEffect, Paths, Through};
use crate::figure::{Content, Figure, Heatmap, HeatmapAxis, Provenance, Scale};
use crate::model::CausalLm as _;
use crate::text::Tokenizer;

impl Paths<'_> {
    /// Layers x heads, and the MLPs in the last column. `effects` are those of [`run`](Paths::run).
    pub fn figure(
        &self,
        effects: &[PathEffect],
        tokenizer: &Tokenizer,
        provenance: &Provenance,
    ) -> Result<Figure, PatchError> {
        let n_heads = self.lm.config().n_heads;
        let columns = (0..n_heads).map(|head| head.to_string()).chain(["mlp".to_owned()]).collect();
        let rows = effects.iter().step_by(n_heads + 1).map(|effect| effect.sender.layer.to_string()).collect();
        #[expect(clippy::cast_possible_truncation, reason = "what is drawn is f32")]
        let narrowed = |value: f64| value as f32;
        let values: Vec<f32> = effects.iter().map(|effect| narrowed(effect.value)).collect();
        let mid = narrowed(self.pair.base_value());
        let reach = values.iter().map(|value| (value - mid).abs()).fold(0.0, f32::max);
        let rows = HeatmapAxis { name: "layer".into(), labels: rows };
        let columns = HeatmapAxis { name: "head".into(), labels: columns };
        let unit = self.request.measure.metric.unit();
        let through = match self.request.through {
            Through::Direct => "all other heads and MLPs say what they said in the run that is patched",
            Through::Mlps => "all other heads say what they said in the run that is patched, and MLPs are computed",
        };
        let direction = self.request.measure.direction;
        Ok(Figure {
            title: format!("Path patching from each head and MLP to {}, {direction}", self.request.receivers),
            caption: format!(
                "A cell patches only what flows from the sender to {}: {through}; {}. {}",
                self.request.receivers,
                direction.about(),
                self.pair.describe(tokenizer),
            ),
            provenance: provenance.clone(),
            content: Content::Heatmap(Heatmap::new(rows, columns, values, Scale::Diverging { mid, reach }, unit)?),
        })
    }
}
