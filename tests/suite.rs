//! The tests of the whole, in one executable: linking is slow.

mod loopback;
mod tidy;
