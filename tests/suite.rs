//! The tests of the whole, in one executable: linking is slow.

mod loopback;
#[path = "interop/moqtap/mod.rs"]
mod moqtap;
mod sim;
mod tidy;

/// Counts, so that what a seed leaves behind is seen.
#[global_allocator]
static HEAP: sim::Counting = sim::Counting;
