//! The figures that the product is to reach, by number.

/// What each row is about.
const TITLES: [&str; 13] = [
    "unary gRPC",
    "REST in one process",
    "REST as a separate hop",
    "server streams as NDJSON and SSE",
    "memory per idle agent",
    "heartbeats",
    "cold storm after kill -9",
    "command round trip",
    "fan-out to all agents",
    "durable claims",
    "detection",
    "planning",
    "faults under load",
];

/// All numbers with their titles.
pub(crate) fn all() -> impl Iterator<Item = (u8, &'static str)> {
    (1..).zip(TITLES)
}
