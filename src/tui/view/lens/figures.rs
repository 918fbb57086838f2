//! The grid of the lens and the followed tokens through the layers, with the interventions and without.

use super::LensView;
use crate::figure::Figure;
use crate::tui::view::Scene;

pub(super) fn of(view: &LensView, _: &Scene<'_>) -> Vec<Figure> {
    let found = view
        .inspection
        .iter()
        .flat_map(|found| [&found.logit_lens, &found.trajectory, &found.base.logit_lens, &found.base.trajectory]);
    found.flatten().map(|figure| figure.as_ref().clone()).collect()
}
