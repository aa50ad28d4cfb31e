//! Publishes a track whose groups are the lines of standard input, for whoever subscribes.
//!
//! `cargo run -p shared --example publish -- moqt://localhost:4443 lab/desk notes`

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, anyhow, bail};
use shared::{
    moqt::{
        self, Config, DoneCode, GroupId, Item, Namespace, Object, ObjectId, Priority, Properties, Request,
        Role, Status, Subgroup, SubgroupEnd, SubgroupId, SubscribeOk, TrackName, TrackWriter,
    },
    transport::{self, ClientConfig, tls::Trust},
};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [relay, namespace, name] = <[String; 3]>::try_from(arguments)
        .map_err(|_| anyhow!("three arguments: the relay's URL, a namespace as a/b/c, a track's name"))?;
    let trust = ClientConfig { trust: Trust::Anything, ..ClientConfig::default() };
    let connection = transport::connect(&relay.parse()?, &trust).await?;
    let (session, mut requests) = moqt::start(connection, Config::new(Role::Client)).await?;
    let namespace = Namespace::new(namespace.split('/').map(str::to_owned));
    let _announced = session.publish_namespace(namespace.clone()).await?;
    let track = TrackName { namespace, name: name.into() };
    eprintln!("{track} is announced; each line is a group");
    let mut subscribers: Vec<TrackWriter> = Vec::new();
    let mut lines = BufReader::new(stdin()).lines();
    // Group IDs grow over restarts.
    let mut group = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64;
    loop {
        tokio::select! {
            request = requests.next() => match request {
                Some(Request::Subscribe(asked)) if *asked.track() == track => {
                    subscribers.push(asked.accept(SubscribeOk::default()));
                }
                Some(other) => drop(other), // That refuses it.
                None => bail!("the session ended: {}", session.closed().await.reason),
            },
            line = lines.next_line() => {
                let Some(line) = line? else { break };
                group += 1;
                let (group, id, priority) = (GroupId(group), SubgroupId(0), Priority(128));
                let subgroup = Subgroup { group, id, priority, ends_group: true, from_first: true };
                let (status, properties) = (Status::Normal, Properties::default());
                let object = Object { subgroup, id: ObjectId(0), status, properties, payload: line.into() };
                subscribers.retain(|subscriber| {
                    let end = Item::End { group, subgroup: id, end: SubgroupEnd::Finished };
                    subscriber.push(Item::Object(object.clone())) && subscriber.push(end)
                });
            }
        }
    }
    subscribers.into_iter().for_each(|subscriber| subscriber.done(DoneCode::TrackEnded, "no more lines"));
    session.drained().await;
    Ok(())
}
