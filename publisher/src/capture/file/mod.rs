//! Films: MP4 files with H.264, and AAC or Opus.
//!
//! | module | what it is |
//! |---|---|
//! | `boxes` | the file's structure |
//! | `samples` | where samples are and when each is due (pure) |
//! | `film` | a file that is open |
//! | `reel` | a track's samples in real time, once or for ever |
//! | `video` | its pictures, decoded |
//! | `coded` | its pictures as they are |
//! | `sound`, `resample` | its sound, decoded, at 48 kHz |
//!
//! Pictures and sound count from the film's begin on the broadcast's clock; a film that is played again
//! begins a whole film's length later. So both stay together, whichever is longer.

mod boxes;
mod coded;
mod film;
mod reel;
mod resample;
mod samples;
mod sound;
mod video;

pub(super) use coded::Coded;
pub(super) use reel::Repeat;
pub(super) use sound::{Cut, Sound};
pub(super) use video::Video;

#[cfg(test)]
mod tests;
