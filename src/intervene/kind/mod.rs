//! The kinds of interventions, one file each.

mod knockout;
mod mean;
mod patch;
mod resample;
mod scale;
mod steer;
mod zero;
mod zero_attention;

use super::{Intervention, ParseError};

/// A kind of intervention.
pub trait Kind: Sync {
    /// The word before the colon; also the file's name, with `_` for `-`.
    fn name(&self) -> &'static str;

    /// How it is written.
    fn grammar(&self) -> &'static str;

    /// One sentence without a period, for help and documentation.
    fn about(&self) -> &'static str;

    /// Some of them, in the form in which they are printed.
    fn examples(&self) -> &'static [&'static str];

    /// Reads what follows the colon.
    fn parse(&self, text: &str) -> Result<Box<dyn Intervention>, ParseError>;
}

/// Every kind of intervention.
pub static INTERVENTIONS: &[&dyn Kind] = &[
    &zero::Zero,
    &mean::Mean,
    &resample::Resample,
    &patch::Patch,
    &scale::Scale,
    &knockout::Knockout,
    &zero_attention::ZeroAttention,
    &steer::Steer,
];
