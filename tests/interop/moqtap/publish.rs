//! PUBLISH both ways: tracks that the client publishes, and those that the relay offers to it.

use anyhow::{Result, bail};
use moqtap_client::draft18::connection::RequestStream;
use moqtap_codec::draft18::message::{ControlMessage, RequestOk};
use tests::world::{Over, World};

use super::{
    client::{Client, TRANSPORTS},
    wire::{FORWARD, LARGEST_OBJECT, bytes, datagram, group, location, namespace, number, object, var},
};

/// TRACK_ENDED (draft-18 §15.10.3).
const TRACK_ENDED: u64 = 0x2;

/// Publishes a track of the stage, which the relay takes.
async fn published(client: &mut Client, track: &str, alias: u64) -> Result<RequestStream> {
    let (parameters, properties) = (vec![location(LARGEST_OBJECT, 2, 5)], vec![bytes(0x3a01, b"hello")]);
    let (of, name) = (namespace("stage/left"), track.into());
    let mut request = client.session().publish(of, name, var(alias), parameters, properties).await?;
    client.agreed(&mut request).await?;
    Ok(request)
}

#[tokio::test]
async fn a_published_track_is_accepted_and_forwarded() -> Result<()> {
    let world = World::with(&["--open"])?;
    for over in TRANSPORTS {
        let mut publisher = Client::connect(&world, over).await?;
        let mut viewer = Client::connect(&world, over).await?;
        let mut publishing = published(&mut publisher, "mic", 77).await?;
        let mut watching = viewer.subscribe("stage/left", "mic", Vec::new()).await?;
        let ok = viewer.granted(&mut watching).await?;
        assert_eq!(ok.track_properties, [bytes(0x3a01, b"hello")], "{over:?}");
        assert_eq!(ok.parameters, [location(LARGEST_OBJECT, 2, 5)], "{over:?}");
        publisher.send(group(77, 3), &[object(0, "one"), object(1, "two")]).await?;
        let got = viewer.subgroup().await?;
        assert_eq!((got.header.track_alias, got.header.group_id), (ok.track_alias, var(3)), "{over:?}");
        assert_eq!(got.payloads(), [(0, "one".into()), (1, "two".into())], "{over:?}");
        publisher.send_datagram(datagram(0, 77, 4, 6), "three")?;
        let (header, payload) = viewer.datagram().await?;
        assert_eq!((header.group_id, header.object_id, &payload[..]), (var(4), var(6), "three"), "{over:?}");

        let (status, count) = (var(TRACK_ENDED), var(1));
        publisher.session().publish_done(&mut publishing, status, count, b"the end".to_vec()).await?;
        let ControlMessage::PublishDone(done) = viewer.next(&mut watching).await? else {
            bail!("no PUBLISH_DONE")
        };
        assert_eq!((done.status_code, done.stream_count), (status, count), "{over:?}: {done:?}");
        assert_eq!(String::from_utf8_lossy(&done.reason_phrase), "the end");
    }
    Ok(())
}

#[tokio::test]
async fn who_wants_all_tracks_is_offered_them() -> Result<()> {
    let world = World::with(&["--open"])?;
    for over in TRANSPORTS {
        let mut publisher = Client::connect(&world, over).await?;
        let mut viewer = Client::connect(&world, over).await?;
        let _known = published(&mut publisher, "mic", 1).await?;
        let mut wanting = viewer.session().subscribe_tracks(namespace("stage"), Vec::new()).await?;
        viewer.agreed(&mut wanting).await?;
        let (mic, _taking) = offered(&mut viewer, over, "mic").await?;
        // And one that comes later.
        let _new = published(&mut publisher, "lamp", 2).await?;
        let (lamp, _taking_too) = offered(&mut viewer, over, "lamp").await?;
        assert_ne!(mic, lamp);
        publisher.send(group(2, 3), &[object(0, "light")]).await?;
        let got = viewer.subgroup().await?;
        assert_eq!(
            (got.header.track_alias, got.payloads()),
            (var(lamp), vec![(0, "light".into())]),
            "{over:?}"
        );
        publisher.send(group(1, 3), &[object(0, "sound")]).await?;
        let got = viewer.subgroup().await?;
        assert_eq!(
            (got.header.track_alias, got.payloads()),
            (var(mic), vec![(0, "sound".into())]),
            "{over:?}"
        );
    }
    Ok(())
}

/// Takes a track that the relay offers; gives its alias.
async fn offered(viewer: &mut Client, over: Over, track: &str) -> Result<(u64, RequestStream)> {
    let (asked, mut taking) = viewer.asked().await?;
    let ControlMessage::Publish(publish) = asked else { bail!("expected PUBLISH: {asked:?}") };
    assert_eq!(publish.track_namespace, namespace("stage/left"), "{over:?}");
    assert_eq!(String::from_utf8_lossy(&publish.track_name), track, "{over:?}");
    assert_eq!(publish.track_properties, [bytes(0x3a01, b"hello")], "{over:?}");
    assert!(publish.parameters.contains(&location(LARGEST_OBJECT, 2, 5)), "{publish:?}");
    let ok = RequestOk { parameters: vec![number(FORWARD, 1)], track_properties: Vec::new() };
    viewer.session().respond_ok(&mut taking, ok).await?;
    Ok((publish.track_alias.into_inner(), taking))
}
