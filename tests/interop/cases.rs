//! The test cases of the MoQ interop runner, by their names there.

use std::{future::Future, time::Duration};

use shared::{
    moqt::{
        self, Config, Namespace, PublishedNamespace, Refused, Request, Requests, Role, Session, SessionCode,
        SubscribeOk, SubscribeOptions, Subscription, TrackName,
    },
    transport::{self, ClientConfig, ConnectError, Connection},
};
use tokio::time::timeout;
use url::Url;

/// How long after the subscriber the late publisher comes.
const LATE: Duration = Duration::from_millis(500);
/// How long a subscriber asks a relay to wait for a publisher; a relay may wait less, or not at all.
const RENDEZVOUS: Duration = Duration::from_secs(2);

/// The relay under test.
#[derive(Debug)]
pub(crate) struct Relay {
    /// Where it is.
    pub(crate) url: Url,
    /// How it is connected to.
    pub(crate) config: ClientConfig,
}

/// Why a case failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// There is no connection: no other case can pass.
    #[error(transparent)]
    Unreachable(ConnectError),
    /// The relay did something else.
    #[error("expected {expected}, received {received}")]
    Unexpected {
        /// What was to come.
        expected: &'static str,
        /// What came.
        received: String,
    },
}

impl Failure {
    fn because(expected: &'static str) -> impl Fn(Refused) -> Self {
        move |refused| Self::Unexpected { expected, received: refused.to_string() }
    }
}

/// One test case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    /// SETUP both ways, and a close without an error.
    SetupOnly,
    /// A namespace is announced.
    AnnounceOnly,
    /// A namespace is announced and withdrawn.
    PublishNamespaceDone,
    /// A track that nobody has is refused.
    SubscribeError,
    /// The relay takes a subscription to the publisher.
    AnnounceSubscribe,
    /// A subscriber that comes first is served or refused.
    SubscribeBeforeAnnounce,
}

impl Case {
    /// All, in the order in which they are run.
    pub(crate) const ALL: [Self; 6] = [
        Self::SetupOnly,
        Self::AnnounceOnly,
        Self::PublishNamespaceDone,
        Self::SubscribeError,
        Self::AnnounceSubscribe,
        Self::SubscribeBeforeAnnounce,
    ];

    /// The runner's name of it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SetupOnly => "setup-only",
            Self::AnnounceOnly => "announce-only",
            Self::PublishNamespaceDone => "publish-namespace-done",
            Self::SubscribeError => "subscribe-error",
            Self::AnnounceSubscribe => "announce-subscribe",
            Self::SubscribeBeforeAnnounce => "subscribe-before-announce",
        }
    }

    /// How long it may take as a whole.
    fn limit(self) -> Duration {
        match self {
            Self::SetupOnly | Self::AnnounceOnly | Self::PublishNamespaceDone | Self::SubscribeError => {
                Duration::from_secs(2)
            }
            Self::AnnounceSubscribe => Duration::from_secs(3),
            Self::SubscribeBeforeAnnounce => Duration::from_millis(3500),
        }
    }

    /// Runs it on connections of its own.
    pub(crate) async fn run(self, relay: &Relay) -> Result<(), Failure> {
        match self {
            Self::SetupOnly => self.within(setup_only(relay)).await,
            Self::AnnounceOnly => self.within(announce_only(relay)).await,
            Self::PublishNamespaceDone => self.within(publish_namespace_done(relay)).await,
            Self::SubscribeError => self.within(subscribe_error(relay)).await,
            Self::AnnounceSubscribe => self.within(announce_subscribe(relay)).await,
            Self::SubscribeBeforeAnnounce => self.within(subscribe_before_announce(relay)).await,
        }
    }

    async fn within(self, case: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
        let limit = self.limit();
        timeout(limit, case).await.unwrap_or_else(|_| {
            let received = format!("nothing within {} ms", limit.as_millis());
            Err(Failure::Unexpected { expected: "an answer", received })
        })
    }
}

async fn setup_only(relay: &Relay) -> Result<(), Failure> {
    Client::connect(relay).await?.close().await
}

async fn announce_only(relay: &Relay) -> Result<(), Failure> {
    let client = Client::connect(relay).await?;
    let announced = client.announce(["moq-test", "interop"]).await?;
    let closed = client.close().await;
    drop(announced);
    closed
}

async fn publish_namespace_done(relay: &Relay) -> Result<(), Failure> {
    let client = Client::connect(relay).await?;
    // Dropping it cancels its request.
    drop(client.announce(["moq-test", "interop"]).await?);
    // Whatever the next request is answered with, the session outlived the cancellation.
    match client.session.publish_namespace(Namespace::new(["moq-test", "interop-after"])).await {
        Ok(_) | Err(Refused::Error { .. } | Refused::Redirected { .. }) => client.close().await,
        Err(refused) => Err(Failure::because("a session that goes on after a cancellation")(refused)),
    }
}

async fn subscribe_error(relay: &Relay) -> Result<(), Failure> {
    const EXPECTED: &str = "REQUEST_ERROR";
    let client = Client::connect(relay).await?;
    let track = track(["nonexistent", "namespace"]);
    match client.session.subscribe(track, SubscribeOptions::default()).await {
        Err(Refused::Error { .. }) => client.close().await,
        Err(refused) => Err(Failure::because(EXPECTED)(refused)),
        Ok(_) => Err(Failure::Unexpected { expected: EXPECTED, received: "SUBSCRIBE_OK".to_owned() }),
    }
}

async fn announce_subscribe(relay: &Relay) -> Result<(), Failure> {
    let mut publisher = Client::connect(relay).await?;
    let announced = publisher.announce(["moq-test", "interop"]).await?;
    let subscriber = Client::connect(relay).await?;
    let subscribed = tokio::select! {
        answer = subscriber.subscribe(SubscribeOptions::default()) => answer,
        ended = publisher.serve() => return Err(ended),
    };
    let subscription = subscribed.map_err(Failure::because("SUBSCRIBE_OK"))?;
    subscriber.close().await?;
    publisher.close().await?;
    drop((announced, subscription));
    Ok(())
}

async fn subscribe_before_announce(relay: &Relay) -> Result<(), Failure> {
    let subscriber = Client::connect(relay).await?;
    let options = SubscribeOptions { rendezvous_timeout: Some(RENDEZVOUS), ..SubscribeOptions::default() };
    let answer = {
        let subscribe = subscriber.subscribe(options);
        tokio::pin!(subscribe);
        match timeout(LATE, &mut subscribe).await {
            Ok(Ok(_)) => {
                return Err(Failure::Unexpected {
                    expected: "REQUEST_ERROR before there is a publisher",
                    received: "SUBSCRIBE_OK".to_owned(),
                });
            }
            // A relay that does not wait has refused before the publisher comes.
            Ok(refused) => refused,
            Err(_) => {
                let mut publisher = Client::connect(relay).await?;
                let _announced = publisher.announce(["moq-test", "interop"]).await?;
                let answer = tokio::select! {
                    answer = &mut subscribe => answer,
                    ended = publisher.serve() => return Err(ended),
                };
                publisher.close().await?;
                answer
            }
        }
    };
    match answer {
        Ok(_) | Err(Refused::Error { .. }) => subscriber.close().await,
        Err(refused) => Err(Failure::because("SUBSCRIBE_OK or REQUEST_ERROR")(refused)),
    }
}

fn track(namespace: [&'static str; 2]) -> TrackName {
    TrackName { namespace: Namespace::new(namespace), name: "test-track".into() }
}

/// One connection to the relay with SETUP behind it.
struct Client {
    connection: Connection,
    session: Session,
    requests: Requests,
}

impl Client {
    async fn connect(relay: &Relay) -> Result<Self, Failure> {
        let connection = transport::connect(&relay.url, &relay.config).await.map_err(Failure::Unreachable)?;
        let (session, requests) = moqt::start(connection.clone(), Config::new(Role::Client))
            .await
            .map_err(|error| Failure::because("SETUP")(error.into()))?;
        Ok(Self { connection, session, requests })
    }

    async fn announce(&self, namespace: [&'static str; 2]) -> Result<PublishedNamespace, Failure> {
        let answer = self.session.publish_namespace(Namespace::new(namespace)).await;
        answer.map_err(Failure::because("REQUEST_OK to PUBLISH_NAMESPACE"))
    }

    async fn subscribe(&self, options: SubscribeOptions) -> Result<Subscription, Refused> {
        self.session.subscribe(track(["moq-test", "interop"]), options).await
    }

    /// Takes every subscription, until the session is over.
    async fn serve(&mut self) -> Failure {
        let mut writers = Vec::new();
        while let Some(request) = self.requests.next().await {
            // Dropping any other refuses it.
            if let Request::Subscribe(request) = request {
                writers.push(request.accept(SubscribeOk::default()));
            }
        }
        let received = self.session.closed().await.reason;
        Failure::Unexpected { expected: "a session that goes on", received }
    }

    async fn close(self) -> Result<(), Failure> {
        self.session.close(SessionCode::NoError, "");
        let closed = self.session.closed().await;
        // The relay is to know of it before this program ends, or it keeps what was published.
        self.connection.close_and_wait(SessionCode::NoError.0, "").await;
        if closed.code == SessionCode::NoError {
            return Ok(());
        }
        let received = format!("{}: {}", closed.code, closed.reason);
        Err(Failure::Unexpected { expected: "a close without an error", received })
    }
}
