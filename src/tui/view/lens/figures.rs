//! The grid of the lens, and A and B through the layers.

use super::LensView;
use crate::figure::Figure;
use crate::tui::view::Scene;

pub(super) fn of(view: &LensView, _: &Scene<'_>) -> Vec<Figure> {
    let found = view.inspection.iter().flat_map(|inspection| [&inspection.logit_lens, &inspection.trajectory]);
    found.flatten().map(|figure| figure.as_ref().clone()).collect()
}
