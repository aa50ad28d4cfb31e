//! What the tests of the whole share: real programs on this machine, and eyes for what they recorded.
//!
//! | module | what it is |
//! |---|---|
//! | [`process`] | one program: its output as it comes, its end |
//! | [`world`] | a relay, publishers and players that find each other |
//! | [`recording`] | pictures and sound that a player wrote |
//! | [`film`] | films made with ffmpeg |
//! | [`foreign`] | a publisher of the test's own, which may say anything |
//! | [`impair`] | a bad network between them |
//! | [`load`] | the relay measured under load |

pub mod film;
pub mod foreign;
pub mod impair;
pub mod load;
pub mod process;
pub mod recording;
pub mod world;
