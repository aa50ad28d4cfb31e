//! The programs together, as real processes on this machine.

mod bad_input;
mod broadcast;
mod examples;
mod film;
mod foreign;
mod interop;
mod migration;
mod moqtap;
mod outage;
mod priorities;
mod qlog;
mod records;
