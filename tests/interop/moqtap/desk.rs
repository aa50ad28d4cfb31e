//! What most cases begin with: a track, who publishes it, and who watches it.

use anyhow::Result;
use moqtap_client::draft18::connection::RequestStream;
use moqtap_codec::kvp::KeyValuePair;
use tests::world::{Over, World};

use super::client::Client;

/// The track `notes` of `lab/desk`, under alias 1 for its publisher, with one subscription that is granted.
pub(super) struct Desk {
    pub(super) publisher: Client,
    pub(super) viewer: Client,
    /// The viewer's subscription.
    pub(super) watching: RequestStream,
    /// The relay's subscription.
    pub(super) serving: RequestStream,
    /// The namespace, which is withdrawn when this is dropped.
    _announced: RequestStream,
}

impl Desk {
    /// Neither side says more than it must.
    pub(super) async fn new(world: &World, over: Over) -> Result<Self> {
        Self::with(world, over, Vec::new(), Vec::new()).await
    }

    /// As [`Self::new`], with parameters in the viewer's SUBSCRIBE and in the publisher's SUBSCRIBE_OK.
    pub(super) async fn with(
        world: &World,
        over: Over,
        subscribe: Vec<KeyValuePair>,
        subscribe_ok: Vec<KeyValuePair>,
    ) -> Result<Self> {
        let mut publisher = Client::connect(world, over).await?;
        let mut viewer = Client::connect(world, over).await?;
        let announced = publisher.announce("lab/desk").await?;
        let mut watching = viewer.subscribe("lab/desk", "notes", subscribe).await?;
        let serving = publisher.serve("notes", 1, subscribe_ok, Vec::new()).await?;
        viewer.granted(&mut watching).await?;
        Ok(Self { publisher, viewer, watching, serving, _announced: announced })
    }
}
