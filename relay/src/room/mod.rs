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

mod chat;
mod core;
mod danmaku;
mod feed;
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
mod saved;
#[cfg(test)]
mod tests;
mod words;

pub use self::core::{Counts, Input, Output, Place, Room};
pub use feed::Publication;
pub use moderation::Ban;
pub use saved::{Kept, Restored, Said, Saved};
