//! The forward pass against independent implementations, and against laws it must obey.

mod golden;
mod gradient;
mod laws;
mod quantised;
