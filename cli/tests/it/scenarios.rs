//! What people do with the whole system, and what may go wrong meanwhile. Docker, registry and PostgreSQL are the real ones.

mod administration;
mod certificates;
mod claims;
mod crashes;
mod first_steps;
mod jobs;
mod joining;
mod logs;
mod lost_nodes;
mod machines;
mod nat;
mod objects;
mod outages;
mod remote_gateway;
