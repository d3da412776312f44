//! The planner under a table of situations.
