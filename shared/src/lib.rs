//! What every part of the live room uses, and nothing that only one part uses.
//!
//! | module | what it is |
//! |---|---|
//! | [`media`] | frames, codecs and the newtypes for time and bitrate |
//! | [`moqt`] | the Media over QUIC Transport engine, draft-18 |
//! | [`transport`] | one connection type over raw QUIC and WebTransport |
//! | [`qlog`] | what both do, in files |
//! | [`loc`] | frame <-> MoQT object |
//! | [`catalog`] | the MSF catalog |
//! | [`event`] | the analytics vocabulary |
//! | [`room`] | the interaction vocabulary |
//! | [`naming`] | every namespace and track name |
//! | [`folder`] | folders that programs write to |

pub mod catalog;
pub mod event;
pub mod folder;
pub mod loc;
pub mod media;
pub mod moqt;
pub mod naming;
pub mod qlog;
pub mod room;
pub mod transport;
