//! Subscribes to a track and prints its objects, until the track ends.
//!
//! `cargo run -p shared --example subscribe -- moqt://localhost:4443 lab/desk notes`

use anyhow::{Result, anyhow};
use shared::{
    moqt::{self, Config, Item, Namespace, Received, Role, SubgroupEnd, SubscribeOptions, TrackName},
    transport::{self, ClientConfig, tls::Trust},
};

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [relay, namespace, name] = <[String; 3]>::try_from(arguments)
        .map_err(|_| anyhow!("three arguments: the relay's URL, a namespace as a/b/c, a track's name"))?;
    let trust = ClientConfig { trust: Trust::Anything, ..ClientConfig::default() };
    let connection = transport::connect(&relay.parse()?, &trust).await?;
    let (session, _requests) = moqt::start(connection, Config::new(Role::Client)).await?;
    let namespace = Namespace::new(namespace.split('/').map(str::to_owned));
    let track = TrackName { namespace, name: name.into() };
    let mut subscription = session.subscribe(track, SubscribeOptions::default()).await?;
    eprintln!("subscribed; the newest object is {:?}", subscription.ok().largest);

    while let Some(received) = subscription.recv().await {
        match received {
            Received::Item(Item::Object(object) | Item::Datagram(object)) => {
                let location = object.location();
                let payload = String::from_utf8_lossy(&object.payload);
                println!("{}/{} {payload}", location.group.0, location.object.0);
            }
            Received::Item(Item::End { group, end: SubgroupEnd::Reset(code), .. }) => {
                eprintln!("group {} was abandoned: {code}", group.0);
            }
            Received::Item(Item::End { .. }) => {}
            Received::Done { code, reason } => eprintln!("the track is over: {code} {reason}"),
        }
    }
    Ok(())
}
