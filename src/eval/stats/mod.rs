//! Intervals and tests. Formulas only; nothing here knows what is counted.
//!
//! Sums are in f64. Whatever is drawn at random is drawn from a seed, so that the same call gives the same number.

mod bootstrap;
mod clustered;
mod distribution;
mod holm;
mod mcnemar;
mod mean;
mod paired;
mod pass_at_k;
mod permutation;
mod power;
mod proportion;
mod ranked;
mod tango;

pub use self::bootstrap::{Bootstrap, Interval, Method};
pub use self::clustered::Clustered;
pub use self::distribution::{normal_cdf, normal_quantile, t_quantile};
pub use self::holm::holm;
pub use self::mcnemar::{mcnemar, mcnemar_chi2};
pub use self::mean::Mean;
pub use self::paired::Paired;
pub use self::pass_at_k::{pass_at_k, pass_hat_k};
pub use self::permutation::{Permutation, SignFlip};
pub use self::power::Power;
pub use self::proportion::Proportion;
pub use self::ranked::{Bin, Kept, Ranked};
pub use self::tango::tango;
