//! The relay of a live room: takes broadcasts over Media over QUIC and forwards them to the audience.
//!
//! | module | what it is |
//! |---|---|
//! | [`config`] | the command line, the environment and the configuration file |
//! | `serve` | starts and stops all of it |
//! | `embedded` | the same inside another program, without ports and records |
//! | `bucket` | an allowance that fills again with time |
//! | `certificate` | the certificate that is shown, and its renewal |
//! | [`room`] | what viewers say: limits, moderation, order, answers, feeds |
//! | `session` | driver: one task per connection |
//! | `registry` | who publishes what, who watches what |
//! | `media` | ingest -> cache -> fanout |
//! | `auth` | who may do what: tokens, and what they allow |
//! | `analytics` | recorder -> store -> report |
//! | `http` | the viewer page, the certificate's hash, health; for operators status and counters |
//! | `metrics` | the counters |
//! | `status` | how the relay does, looked at once a second |
//! | `process` | what the program takes of its machine |

mod analytics;
mod auth;
mod bucket;
mod certificate;
mod clock;
pub mod config;
mod embedded;
mod http;
mod media;
mod metrics;
mod process;
mod registry;
pub mod room;
mod serve;
mod session;
mod status;
mod tasks;

pub use analytics::store::StoreError;
pub use auth::{KeyError, TokenCommandError, token};
pub use config::Config;
pub use embedded::Embedded;
pub use serve::{Running, StartError, serve};

/// What a report prints: rooms, broadcasts, tracks and sessions that were written down.
///
/// # Errors
/// [`StoreError`] where the folder holds no records or they cannot be read.
pub fn report(config: &config::ReportConfig) -> Result<String, StoreError> {
    let report = analytics::store::read(&config.data, config.room.as_ref())?;
    Ok(analytics::report::render(&report, config.format))
}
