//! The forward pass against independent implementations, and against laws it must obey.

mod architectures;
mod determinism;
mod dtypes;
mod gguf;
mod golden;
mod gradient;
mod laws;
mod quantised;
mod sampling;
mod together;
