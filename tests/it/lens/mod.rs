//! Lenses and probes against hand-worked cases, sums that must close, and independent implementations.

mod attention;
mod diff;
mod dla;
mod explain;
mod logit_lens;
mod transformer_lens;
