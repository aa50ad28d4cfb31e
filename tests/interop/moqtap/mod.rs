//! moqtap-client, a client that others wrote on a codec of their own, against our relay as a real process.
//!
//! Each case runs over raw QUIC and over WebTransport, and checks what arrives: identifiers, properties,
//! payloads. What that client lacks or errs in is said where a case goes around it.

mod client;
mod desk;
mod fetch;
mod leave;
mod publish;
mod refuse;
mod subscribe;
mod update;
mod violate;
mod wire;
