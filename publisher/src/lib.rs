//! Captures, encodes and puts a broadcast on air over Media over QUIC.
//!
//! | module | what it is |
//! |---|---|
//! | [`config`] | the command line, the environment and the configuration file |
//! | [`pipeline`] | the whole flow on one screen |
//! | [`capture`] | where pictures and sound come from |
//! | `filter` | what is done to pictures before encoding |
//! | [`encode`] | pictures and samples -> coded frames |
//! | [`rendition`] | the simulcast ladder |
//! | [`package`] | frames -> groups, subgroups and objects |
//! | [`catalog`] | what the broadcast says of itself |
//! | `stage` | each track with its newest group |
//! | [`session`] | driver: announce, write, abandon what is late, come back |
//! | `stats`, `progress` | counters, and the line that shows them |

mod backoff;
pub mod capture;
pub mod catalog;
pub mod config;
pub mod encode;
mod filter;
pub mod package;
pub mod pipeline;
mod progress;
pub mod rendition;
pub mod session;
mod stage;
mod stats;
