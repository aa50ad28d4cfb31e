//! Requests that the relay refuses: each with the draft's code and words to act on, and the session goes on.

use anyhow::{Result, ensure};
use moqtap_client::draft18::connection::RequestStream;
use moqtap_codec::draft18::error_codes::RequestErrorCode as Code;
use tests::world::World;

use super::{
    client::{Client, TRANSPORTS},
    desk::Desk,
    wire::{FORWARD, LARGEST_OBJECT, group, location, namespace, number, object, var},
};

/// Checks the code and that the reason holds the words; and that the request is over, and the session is not.
async fn is_refused(client: &mut Client, request: &mut RequestStream, code: Code, words: &str) -> Result<()> {
    let error = client.refused(request).await?;
    let reason = String::from_utf8_lossy(&error.reason_phrase).into_owned();
    ensure!(
        error.error_code == var(code as u64) && reason.contains(words),
        "expected {code:?} and {words:?}: {error:?}, {reason:?}"
    );
    Ok(())
}

#[tokio::test]
async fn what_nobody_publishes_does_not_exist() -> Result<()> {
    let world = World::with(&["--open"])?;
    for over in TRANSPORTS {
        let mut client = Client::connect(&world, over).await?;
        let (of, name) = (|| namespace("no/where"), b"nothing".to_vec());
        let words = "nobody publishes no/where";
        let mut request = client.subscribe("no/where", "nothing", Vec::new()).await?;
        is_refused(&mut client, &mut request, Code::DoesNotExist, words).await?;
        let asked = client.session().fetch(of(), name.clone(), var(0), var(0), var(1), var(0), Vec::new());
        let mut request = asked.await?;
        is_refused(&mut client, &mut request, Code::DoesNotExist, words).await?;
        let mut request = client.session().track_status(of(), name.clone(), Vec::new()).await?;
        is_refused(&mut client, &mut request, Code::DoesNotExist, words).await?;
        // The session goes on.
        let _announced = client.announce("some/where").await?;
    }
    Ok(())
}

#[tokio::test]
async fn who_waits_for_a_publisher_is_told_that_none_came() -> Result<()> {
    /// RENDEZVOUS_TIMEOUT (draft-18 §10.2.6), in milliseconds.
    const RENDEZVOUS: u64 = 0x04;
    let world = World::with(&["--open"])?;
    for over in TRANSPORTS {
        let mut client = Client::connect(&world, over).await?;
        let mut request = client.subscribe("no/where", "nothing", vec![number(RENDEZVOUS, 200)]).await?;
        is_refused(&mut client, &mut request, Code::Timeout, "nobody came in time").await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_sessions_own_namespaces_are_nobody_elses() -> Result<()> {
    let world = World::with(&["--open"])?;
    for over in TRANSPORTS {
        let mut client = Client::connect(&world, over).await?;
        for path in [".", ".session", ".session/lab"] {
            let mut request = client.subscribe(path, "x", Vec::new()).await?;
            is_refused(&mut client, &mut request, Code::DoesNotExist, "").await?;
            let mut request = client.session().publish_namespace(namespace(path), Vec::new()).await?;
            is_refused(&mut client, &mut request, Code::DoesNotExist, "").await?;
            let published =
                client.session().publish(namespace(path), b"x".to_vec(), var(1), Vec::new(), Vec::new());
            let mut request = published.await?;
            is_refused(&mut client, &mut request, Code::DoesNotExist, "").await?;
        }
        let _announced = client.announce("some/where").await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_relay_for_rooms_takes_nothing_else() -> Result<()> {
    let world = World::new()?;
    for over in TRANSPORTS {
        let mut client = Client::connect(&world, over).await?;
        let words = "room/<room>/stage";
        let mut request = client.session().publish_namespace(namespace("lab/desk"), Vec::new()).await?;
        is_refused(&mut client, &mut request, Code::Unauthorized, words).await?;
        let published =
            client.session().publish(namespace("lab/desk"), b"x".to_vec(), var(1), Vec::new(), Vec::new());
        let mut request = published.await?;
        is_refused(&mut client, &mut request, Code::Unauthorized, words).await?;
        let mut request = client.session().publish_namespace(namespace("room/one/stage"), Vec::new()).await?;
        is_refused(&mut client, &mut request, Code::Unauthorized, "token").await?;
    }
    Ok(())
}

#[tokio::test]
async fn fetches_of_nothing_are_refused() -> Result<()> {
    let world = World::with(&["--open"])?;
    for over in TRANSPORTS {
        let largest = vec![location(LARGEST_OBJECT, 3, 2)];
        let mut desk = Desk::with(&world, over, Vec::new(), largest).await?;
        let (of, name) = (namespace("lab/desk"), b"notes".to_vec());
        let asked = desk.viewer.session().fetch(of, name, var(8), var(0), var(9), var(0), Vec::new());
        let mut request = asked.await?;
        is_refused(&mut desk.viewer, &mut request, Code::InvalidRange, "published").await?;
        // A request that there is not.
        let mut request = desk.viewer.session().joining_fetch(var(400), var(1), Vec::new()).await?;
        is_refused(&mut desk.viewer, &mut request, Code::InvalidJoiningRequestId, "").await?;
        // A subscription that is paused (draft-18 §10.12.2).
        let mut idle = Client::connect(&world, over).await?;
        let mut paused = idle.subscribe("lab/desk", "notes", vec![number(FORWARD, 0)]).await?;
        idle.granted(&mut paused).await?;
        let mut request = idle.session().joining_fetch(paused.request_id(), var(1), Vec::new()).await?;
        is_refused(&mut idle, &mut request, Code::InvalidRange, "").await?;
        // What is watched goes on.
        desk.publisher.send(group(1, 4), &[object(0, "on")]).await?;
        assert_eq!(desk.viewer.subgroup().await?.payloads(), [(0, "on".into())], "{over:?}");
    }
    Ok(())
}

#[tokio::test]
async fn prefixes_do_not_overlap_in_one_session() -> Result<()> {
    let world = World::with(&["--open"])?;
    for over in TRANSPORTS {
        let mut client = Client::connect(&world, over).await?;
        let mut watching = client.session().subscribe_namespace(namespace("lab"), Vec::new()).await?;
        client.agreed(&mut watching).await?;
        let mut request = client.session().subscribe_namespace(namespace("lab/desk"), Vec::new()).await?;
        is_refused(&mut client, &mut request, Code::PrefixOverlap, "").await?;
        // Of the tracks there, nobody asked yet.
        let mut wanting = client.session().subscribe_tracks(namespace("lab"), Vec::new()).await?;
        client.agreed(&mut wanting).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_track_that_needs_an_unknown_extension_is_refused() -> Result<()> {
    /// A property that a receiver has to know (draft-18 §2.5.1).
    const MANDATORY: u64 = 0x4a00;
    let world = World::with(&["--open"])?;
    for over in TRANSPORTS {
        let mut publisher = Client::connect(&world, over).await?;
        let mut viewer = Client::connect(&world, over).await?;
        let _announced = publisher.announce("lab/desk").await?;
        let mut watching = viewer.subscribe("lab/desk", "notes", Vec::new()).await?;
        let _serving = publisher.serve("notes", 1, Vec::new(), vec![number(MANDATORY, 1)]).await?;
        is_refused(&mut viewer, &mut watching, Code::UnsupportedExtension, "0x4a00").await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_refusal_of_the_publisher_is_handed_on() -> Result<()> {
    let world = World::with(&["--open"])?;
    for over in TRANSPORTS {
        let mut publisher = Client::connect(&world, over).await?;
        let mut viewer = Client::connect(&world, over).await?;
        let _announced = publisher.announce("lab/desk").await?;
        let mut watching = viewer.subscribe("lab/desk", "secret", Vec::new()).await?;
        let (_, mut asked) = publisher.asked().await?;
        let error = moqtap_codec::draft18::message::RequestError {
            error_code: var(Code::DoesNotExist as u64),
            retry_interval: var(0),
            reason_phrase: b"there are no secrets".to_vec(),
            redirect: None,
        };
        publisher.session().respond_error(&mut asked, error).await?;
        is_refused(&mut viewer, &mut watching, Code::DoesNotExist, "there are no secrets").await?;
    }
    Ok(())
}
