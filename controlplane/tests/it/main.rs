//! The control plane as its users and agents see it: the real one, in process, over real sockets, on both databases.

#![expect(clippy::unwrap_used, reason = "whatever fails here fails the test, also in the helpers that are no tests themselves")]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that fails shows how its claims went; one that is skipped says so"
)]

mod agent;
mod databases;
mod dial;
mod http;
mod machine;
mod people;
mod plane;
mod raw;
mod receiver;
mod sshd;
mod stand_in;
mod wait;

mod accounts;
mod accounts_v1;
mod api_tokens;
mod audit;
mod authorization;
mod backends;
mod bad_input;
mod claim_life;
mod claims;
mod enrolment;
mod events;
mod graphql;
mod hosts;
mod internal;
mod jupyterhub;
mod limits;
mod link;
mod logs;
mod machines;
mod monitoring;
mod node_loss;
mod node_operations;
mod nodes;
mod process;
mod s3;
mod salt;
mod sealing;
mod slurm;
mod standard_services;
mod tokens;
mod users;
mod watch;
mod webhooks;
