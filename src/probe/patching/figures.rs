//! A patching grid as figures: a heatmap, and its strongest cells.

use super::{Cell, Grid, Origin, PatchError, PatchSite};
use crate::figure::{Cell as Entry, Column, Content, Figure, Heatmap, HeatmapAxis, Provenance, Scale, Table};
use crate::text::Tokenizer;

impl Grid<'_> {
    /// The grid, and a table of its `top` strongest cells. `cells` are those of [`fill`](Grid::fill).
    pub fn figures(
        &self,
        cells: &[Cell],
        tokenizer: &Tokenizer,
        provenance: &Provenance,
        top: usize,
    ) -> Result<Vec<Figure>, PatchError> {
        let labels = self.labels(tokenizer);
        let title = format!("Activation patching of {}, {}", self.request().site, self.request().measure.direction);
        let figure = |title: String, content| Figure {
            title,
            caption: self.caption(cells, tokenizer),
            provenance: provenance.clone(),
            content,
        };
        let strongest = self.strongest(cells, &labels, top)?;
        let heading = format!("{title}: the {} cells furthest from the run that is patched", strongest.rows().len());
        Ok(vec![
            figure(title, Content::Heatmap(self.heatmap(cells, labels)?)),
            figure(heading, Content::Table(strongest)),
        ])
    }

    /// Tokens of both prompts by position: `3 ␣cat`, and `4 ␣sat/␣ran` where they differ.
    fn labels(&self, tokenizer: &Tokenizer) -> Vec<String> {
        let [clean, corrupted] = self.pair.ids();
        let label = |(position, (&clean, &other)): (usize, (&u32, &u32))| {
            let (clean, other) = (tokenizer.visible(clean), tokenizer.visible(other));
            if self.pair.differs(position) {
                format!("{position} {clean}/{other}")
            } else {
                format!("{position} {clean}")
            }
        };
        clean.iter().zip(corrupted).enumerate().map(label).collect()
    }

    fn caption(&self, cells: &[Cell], tokenizer: &Tokenizer) -> String {
        let request = self.request();
        let n_estimated = cells.iter().filter(|cell| cell.origin == Origin::Estimate).count();
        let estimated = match n_estimated {
            0 => String::new(),
            n => {
                format!(
                    " {n} cells marked ~ are estimates to first order (attribution patching), those marked = were run."
                )
            }
        };
        format!(
            "A cell patches {}; {}. {}{estimated}",
            request.site.about(),
            request.measure.direction.about(),
            self.pair.describe(tokenizer),
        )
    }

    fn heatmap(&self, cells: &[Cell], positions: Vec<String>) -> Result<Heatmap, PatchError> {
        let values: Vec<f32> = cells.iter().map(|cell| narrowed(cell.value)).collect();
        let n_columns = match self.request().site {
            PatchSite::Head => {
                cells.iter().take_while(|cell| Some(cell.at.layer) == cells.first().map(|first| first.at.layer)).count()
            }
            _ => positions.len(),
        };
        let rows = cells.iter().step_by(n_columns.max(1)).map(|cell| match (self.request().site, cell.at.head) {
            (PatchSite::Head, _) | (_, None) => cell.at.layer.to_string(),
            (_, Some(head)) => format!("L{}H{head}", cell.at.layer),
        });
        let rows = HeatmapAxis { name: "layer".into(), labels: rows.collect() };
        let columns = match self.request().site {
            PatchSite::Head => {
                HeatmapAxis { name: "head".into(), labels: (0..n_columns).map(|head| head.to_string()).collect() }
            }
            _ => HeatmapAxis { name: "position".into(), labels: positions },
        };
        let mid = narrowed(self.pair.base_value());
        let reach = values.iter().map(|value| (value - mid).abs()).fold(0.0, f32::max);
        let scale = Scale::Diverging { mid, reach };
        let heatmap = Heatmap::new(rows, columns, values, scale, self.request().measure.metric.unit())?;
        if cells.iter().all(|cell| cell.origin == Origin::Run) {
            return Ok(heatmap);
        }
        let text = |cell: &Cell| match cell.origin {
            Origin::Run => "=".to_owned(),
            Origin::Estimate => "~".to_owned(),
        };
        Ok(heatmap.with_cells(cells.iter().map(text).collect())?)
    }

    fn strongest(&self, cells: &[Cell], positions: &[String], top: usize) -> Result<Table, PatchError> {
        let base = self.pair.base_value();
        let mut order: Vec<&Cell> = cells.iter().collect();
        order.sort_by(|a, b| (b.value - base).abs().total_cmp(&(a.value - base).abs()));
        let integer = |n: usize| Entry::Integer(i64::try_from(n).unwrap_or(i64::MAX));
        let row = |cell: &&Cell| {
            let position = cell.at.position.and_then(|position| positions.get(position));
            vec![
                integer(cell.at.layer),
                cell.at.head.map_or(Entry::Empty, integer),
                position.map_or(Entry::Empty, |label| Entry::Text(label.clone())),
                Entry::number(cell.value, 3),
                Entry::number(cell.value - base, 3),
                Entry::Text(if cell.origin == Origin::Run { "run" } else { "estimate" }.into()),
            ]
        };
        let unit = self.request().measure.metric.unit();
        let columns = [
            ("layer", ""),
            ("head", ""),
            ("position", ""),
            (self.request().measure.metric.name(), unit),
            ("change", unit),
        ];
        let columns = columns.into_iter().chain([("found_by", "")]);
        let columns = columns.map(|(name, unit)| Column::new(name, unit)).collect();
        Ok(Table::new(columns, order.iter().take(top).map(row).collect())?)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "what is drawn is f32")]
const fn narrowed(value: f64) -> f32 {
    value as f32
}
