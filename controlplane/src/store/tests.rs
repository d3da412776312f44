//! The store's behaviour, the same on both databases.

mod admission;
mod audit;
mod claims;
mod enrolment;
mod hosts;
mod limit_usage;
mod machines;
mod nodes;
mod open;
mod outbox;
mod people;
mod placement;
mod slurm_jobs;
mod webhooks;
