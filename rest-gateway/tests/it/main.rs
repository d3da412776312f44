//! The gateway as its users see it: JSON in, JSON out, over real services.

mod contract;
mod differential;
mod http;
mod mapping;
mod process;
mod services;
