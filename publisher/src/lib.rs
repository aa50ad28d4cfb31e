//! Captures, encodes and puts a broadcast on air over Media over QUIC.

pub mod catalog;
pub mod encode;
pub mod package;
pub mod rendition;
