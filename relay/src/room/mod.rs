//! The room: takes what viewers say, limits, moderates and orders it, answers it, and tells everybody.
//!
//! [`Room`] decides all of it and is pure; `task` drives one, `rooms` finds it.
//!
//! | module | what it is |
//! |---|---|
//! | `core` | the state machine: what comes in, what goes out |
//! | `chat`, `danmaku`, `reactions`, `questions`, `polls`, `products`, `presence`, `notice` | the kinds |
//! | `limits` | how much is taken in, of each and of all |
//! | `moderation`, `words` | what is allowed |
//! | `once` | nothing is applied twice |
//! | `people` | who is there |
//! | `feed`, `pace` | the room's tracks, and how often they tell |
//! | `saved` | what outlives the room |
//! | `rooms`, `task`, `door`, `keeper` | drivers: find a room, run it, show out whoever is banned, write it down |

mod chat;
mod core;
mod danmaku;
mod door;
mod feed;
mod keeper;
mod limits;
mod moderation;
mod notice;
mod once;
mod pace;
mod people;
mod polls;
mod presence;
mod products;
mod questions;
mod reactions;
mod rooms;
mod saved;
mod task;
#[cfg(test)]
mod tests;
mod words;

pub use self::core::{Counts, Input, Output, Place, Room};
pub(crate) use door::Pass;
pub use feed::Publication;
pub(crate) use keeper::Keeper;
pub use moderation::Ban;
pub(crate) use rooms::{Closed, Rooms, Voice};
pub use saved::{Kept, Restored, Said, Saved};
