//! What every part of the live room uses, and nothing that only one part uses.
//!
//! | module | what it is |
//! |---|---|
//! | [`media`] | frames, codecs and the newtypes for time and bitrate |

pub mod media;
