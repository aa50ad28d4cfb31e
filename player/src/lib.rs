//! Watches a live room: subscribes to its tracks, keeps sound and picture in time, shows and records.
//!
//! | module | what it is |
//! |---|---|
//! | [`config`] | command line, environment and file as one set of settings |
//! | [`pipeline`] | the whole flow |
//! | `session` | the way to the relay and the room |
//! | `rendition` | which tracks are played |
//! | `depackage` | objects -> frames in the order of decoding |
//! | `jitter` | how much to hold back |
//! | `playhead` | which moment plays now |
//! | `decode` | frames -> pictures and sound |
//! | `playback` | the thread that brings these together |
//! | `display` | where pictures are shown and recorded |
//! | [`danmaku`] | bullet comments over the picture of the window |
//! | [`interact`] | taking part: what is said and heard |
//! | `stats` | what a viewer experiences, in numbers |

mod clock;
pub mod config;
pub mod danmaku;
mod decode;
mod depackage;
mod display;
pub mod interact;
mod jitter;
pub mod pipeline;
mod playback;
mod playhead;
mod random;
mod rendition;
mod session;
mod sound;
mod state;
mod stats;
