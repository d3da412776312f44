//! What machines and GPUs do: now, from the last heartbeats that the hub holds, and before, from a history of samples.
//!
//! Heartbeats pay nothing for the history: a [`sampler`] looks at what the hub holds once in a while. The history is in the control
//! plane's own database ([`recorder`]), or in a Prometheus. Samples are no data that anybody was promised: those of the minute before
//! the process is killed are lost.

mod chunk;
pub mod history;
pub mod metric;
pub mod reading;
pub mod recorder;
pub mod remote;
pub mod resolution;
pub mod sampler;
pub mod span;

pub use metric::Metric;

#[cfg(test)]
mod tests;
