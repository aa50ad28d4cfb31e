//! One connection to the relay with the room's stage announced on it.

use std::time::Duration;

use shared::{
    moqt::{self, AuthToken, PublishedNamespace, Refused, RequestCode, Requests, Role, Session, SessionCode},
    naming::Room,
    transport::{self, ClientConfig, ConnectError},
};
use tokio::time::timeout;
use url::Url;

/// Where a broadcast goes.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `moqt://host:port` or `https://host:port`.
    pub relay: Url,
    /// The room.
    pub room: Room,
    /// What the relay gave to the streamer for this room.
    pub token: Option<String>,
    /// Trust and congestion control.
    pub transport: ClientConfig,
}

/// Why a broadcast is not on air, in words that say what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No connection.
    #[error("no connection to the relay {relay}: {source}")]
    Connect {
        /// Its URL.
        relay: Url,
        /// Why.
        source: ConnectError,
    },
    /// The relay does not speak MoQT as it should.
    #[error("the relay {relay} does not begin a MoQT session: {source}")]
    Session {
        /// Its URL.
        relay: Url,
        /// Why.
        source: moqt::SessionError,
    },
    /// The relay does not want this broadcast.
    #[error(
        "the relay refuses room {room}: {source}; another publisher may be on air there, or a --token is needed"
    )]
    Room {
        /// The room.
        room: Room,
        /// Why.
        source: Refused,
    },
    /// The relay says nothing.
    #[error("the relay {relay} does not answer within {} s: is it a MoQT relay?", .within.as_secs())]
    Silent {
        /// Its URL.
        relay: Url,
        /// How long was waited.
        within: Duration,
    },
}

impl Error {
    /// Whether another attempt would be in vain.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::Silent { .. } => false,
            Self::Session { source, .. } => source.code == SessionCode::Unauthorized,
            Self::Room { source, .. } => matches!(
                source,
                Refused::Error { code: RequestCode::Unauthorized, .. }
                    | Refused::Error { code: RequestCode::MalformedAuthToken, .. }
                    | Refused::Error { code: RequestCode::ExpiredAuthToken, .. }
            ),
        }
    }
}

/// A session whose relay took the room's namespace. Dropping it leaves.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) session: Session,
    pub(crate) requests: Requests,
    pub(crate) namespace: PublishedNamespace,
}

impl Link {
    /// Connects and announces.
    ///
    /// # Errors
    /// [`Error`] says at which step, why, and what to do.
    pub(crate) async fn connect(settings: &Settings) -> Result<Self, Error> {
        let relay = settings.relay.clone();
        let silent = |_| Error::Silent { relay: relay.clone(), within: PATIENCE };
        timeout(PATIENCE, Self::attempt(settings)).await.map_err(silent)?
    }

    async fn attempt(settings: &Settings) -> Result<Self, Error> {
        let relay = &settings.relay;
        let url = relay;
        let connection = transport::connect(url, &settings.transport)
            .await
            .map_err(|source| Error::Connect { relay: relay.clone(), source })?;
        let mut config = moqt::Config::new(Role::Client);
        config.tokens = settings.token.as_deref().map(AuthToken::jwt).into_iter().collect();
        if connection.kind() == transport::Kind::Quic {
            config.authority = authority(url);
            config.path = Some(path(url)).filter(|path| !path.is_empty());
        }
        let (session, requests) = moqt::start(connection, config)
            .await
            .map_err(|source| Error::Session { relay: relay.clone(), source })?;
        let room = &settings.room;
        let namespace = session
            .publish_namespace(room.stage())
            .await
            .map_err(|source| Error::Room { room: room.clone(), source })?;
        Ok(Self { session, requests, namespace })
    }
}

/// How long connecting and announcing may take.
const PATIENCE: Duration = Duration::from_secs(15);

fn authority(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

fn path(url: &Url) -> String {
    url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authority_and_path_are_those_of_the_url() {
        let url: Url = "moqt://relay.example:4443/live".parse().expect("a URL");
        assert_eq!(authority(url).as_deref(), Some("relay.example:4443"));
        assert_eq!(path(&with_token(&url, Some("a b&c"))), "/live?token=a+b%26c");
        assert_eq!(path(&"moqt://[::1]:4443".parse().expect("a URL")), "");
    }

    #[test]
    fn only_a_refused_identity_is_final() {
        let room: Room = "demo".parse().expect("a room");
        let refused = |code| Error::Room {
            room: room.clone(),
            source: Refused::Error { code, reason: String::new(), retry_after: None },
        };
        assert!(refused(RequestCode::Unauthorized).is_final());
        assert!(!refused(RequestCode::GoingAway).is_final(), "the relay restarts");
        assert!(!refused(RequestCode::DuplicateSubscription).is_final());
    }
}
