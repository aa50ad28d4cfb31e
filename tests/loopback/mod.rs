//! The programs together, as real processes on this machine.

mod bad_input;
mod broadcast;
mod crowd;
mod examples;
mod film;
mod foreign;
mod interop;
mod migration;
mod outage;
mod priorities;
mod publishers;
mod qlog;
mod records;
mod room;
