//! The control plane as its users and agents see it: the real one, in process, over real sockets, on both databases.

mod agent;
mod databases;
mod dial;
mod http;
mod machine;
mod plane;
mod wait;

mod accounts;
mod authorization;
mod claim_life;
mod claims;
mod enrolment;
mod link;
mod node_loss;
mod node_operations;
mod nodes;
mod process;
mod standard_services;
mod tokens;
mod watch;
