//! The order in which data leaves.
