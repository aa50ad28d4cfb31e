//! A publisher of the test's own, which may say anything.

use std::collections::HashMap;

use anyhow::{Context, Result};
use bytes::Bytes;
use shared::{
    media::Timestamp,
    moqt::{
        self, AuthToken, GroupId, Item, Object, ObjectId, Priority, Properties, Request, RequestCode,
        Requests, Role, Status, Subgroup, SubgroupId, SubscribeOk,
    },
    naming::Room,
    transport::{self, ClientConfig, tls::Trust},
};
use tokio::runtime::Runtime;
use url::Url;

use crate::world::{Over, World};

/// A room's stage whose tracks hold what the test gave. Dropping it leaves.
#[derive(Debug)]
pub struct Foreign {
    _runtime: Runtime,
}

impl Foreign {
    /// Puts tracks on the stage of `room`: to each who subscribes, all items of a track are sent at once.
    ///
    /// # Errors
    /// Where the relay cannot be reached or refuses the room.
    pub fn publish(world: &World, room: &str, tracks: Vec<(&'static str, Vec<Item>)>) -> Result<Self> {
        let runtime = Runtime::new()?;
        let url: Url = world.url(Over::Quic).parse()?;
        let trust = Trust::Hashes(vec![world.hash().parse()?]);
        let config = ClientConfig { trust, ..ClientConfig::default() };
        let stage = room.parse::<Room>()?.stage();
        let token = AuthToken::jwt(&world.token(room, "host", &[])?);
        let (session, requests, namespace) = runtime.block_on(async {
            let connection = transport::connect(&url, &config).await?;
            let setup = moqt::Config { tokens: vec![token], ..moqt::Config::new(Role::Client) };
            let (session, requests) = moqt::start(connection, setup).await?;
            let namespace = session.publish_namespace(stage).await.context("the relay takes the stage")?;
            anyhow::Ok((session, requests, namespace))
        })?;
        runtime.spawn(async move {
            serve(requests, tracks).await;
            drop((session, namespace));
        });
        Ok(Self { _runtime: runtime })
    }
}

async fn serve(mut requests: Requests, tracks: Vec<(&'static str, Vec<Item>)>) {
    let tracks: HashMap<Bytes, Vec<Item>> =
        tracks.into_iter().map(|(name, items)| (Bytes::from_static(name.as_bytes()), items)).collect();
    // A writer that is dropped ends its subscription.
    let mut writers = Vec::new();
    while let Some(request) = requests.next().await {
        let Request::Subscribe(request) = request else { continue };
        let Some(items) = tracks.get(&request.track().name) else {
            request.reject(RequestCode::DoesNotExist, "no such track");
            continue;
        };
        let writer = request.accept(SubscribeOk::default());
        for item in items {
            writer.push(item.clone());
        }
        writers.push(writer);
    }
}

/// An object that opens a group of its own now, with any properties and any payload.
pub fn object(id: u64, properties: &'static [u8], payload: impl Into<Bytes>) -> Item {
    let now = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH);
    let now = Timestamp(u64::try_from(now.unwrap_or_default().as_micros()).unwrap_or(u64::MAX));
    Item::Object(Object {
        subgroup: Subgroup {
            group: GroupId(now.0 / 1000 + id),
            id: SubgroupId(0),
            priority: Priority(64),
            ends_group: true,
            from_first: true,
        },
        id: ObjectId(0),
        status: Status::Normal,
        properties: Properties(Bytes::from_static(properties)),
        payload: payload.into(),
    })
}
