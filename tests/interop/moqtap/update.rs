//! REQUEST_UPDATE of a subscription, both ways, and of a namespace subscription.
//!
//! The client has no call for it: the message is written by hand, under a Request ID far from those that it
//! counts up by itself. The answer it does not know: `Endpoint::receive_request_ok` (endpoint.rs) finds no request
//! for one on a subscription, and takes one on a namespace subscription for the second answer to that, though
//! exactly one REQUEST_OK or REQUEST_ERROR is to come (draft-18 §10.9). So its error is passed over, and the
//! message is read from its observer.

use anyhow::{Result, bail};
use moqtap_client::draft18::{
    connection::{ConnectionError, RequestStream},
    endpoint::EndpointError,
};
use moqtap_codec::{
    draft18::message::{ControlMessage, Namespace, RequestOk, RequestUpdate},
    kvp::KeyValuePair,
    varint::Moqt18,
};
use tests::world::World;

use super::{
    client::{Client, TRANSPORTS, within},
    desk::Desk,
    wire::{
        FORWARD, LARGEST_OBJECT, SUBSCRIBER_PRIORITY, bytes, group, location, namespace, number, object, var,
    },
};

/// The first of our own Request IDs.
const FIRST: u64 = 1000;
/// TRACK_NAMESPACE_PREFIX (draft-18 §10.2.14).
const PREFIX: u64 = 0x34;

/// Sends an update of a request.
async fn update(
    client: &mut Client,
    request: &mut RequestStream,
    id: u64,
    parameters: Vec<KeyValuePair>,
) -> Result<()> {
    let update = ControlMessage::RequestUpdate(RequestUpdate { request_id: var(id), parameters });
    Ok(client.session().send_on_request_stream(request, &update).await?)
}

/// The answer to an update, which the client takes for one to nothing.
async fn answered(client: &mut Client, request: &mut RequestStream) -> Result<RequestOk> {
    match within("an answer", client.session().recv_on_request_stream(request)).await? {
        Ok(ControlMessage::RequestOk(ok)) => Ok(ok),
        Err(ConnectionError::Endpoint(EndpointError::UnknownRequest(_) | EndpointError::Namespace(_))) => {
            match client.last() {
                Some(ControlMessage::RequestOk(ok)) => Ok(ok),
                other => bail!("expected REQUEST_OK: {other:?}"),
            }
        }
        other => bail!("expected REQUEST_OK: {other:?}"),
    }
}

#[tokio::test]
async fn a_subscription_is_paused_and_resumed() -> Result<()> {
    let world = World::with(&["--open"])?;
    for over in TRANSPORTS {
        let mut desk = Desk::new(&world, over).await?;
        let mut witness = Client::connect(&world, over).await?;
        let mut also = witness.subscribe("lab/desk", "notes", Vec::new()).await?;
        witness.granted(&mut also).await?;

        update(&mut desk.viewer, &mut desk.watching, FIRST, vec![number(FORWARD, 0)]).await?;
        answered(&mut desk.viewer, &mut desk.watching).await?;
        desk.publisher.send(group(1, 1), &[object(0, "unseen")]).await?;
        // Through the relay by then.
        assert_eq!(witness.subgroup().await?.payloads(), [(0, "unseen".into())]);
        update(
            &mut desk.viewer,
            &mut desk.watching,
            FIRST + 2,
            vec![number(FORWARD, 1), number(SUBSCRIBER_PRIORITY, 3)],
        )
        .await?;
        let ok = answered(&mut desk.viewer, &mut desk.watching).await?;
        assert_eq!(ok.parameters, [location(LARGEST_OBJECT, 1, 0)], "{over:?}");
        desk.publisher.send(group(1, 2), &[object(0, "seen")]).await?;
        let got = desk.viewer.subgroup().await?;
        assert_eq!((got.header.group_id, got.payloads()), (var(2), vec![(0, "seen".into())]), "{over:?}");
    }
    Ok(())
}

#[tokio::test]
async fn the_relay_asks_for_objects_only_while_somebody_wants_them() -> Result<()> {
    let world = World::with(&["--open"])?;
    for over in TRANSPORTS {
        let mut desk = Desk::with(&world, over, vec![number(FORWARD, 0)], Vec::new()).await?;
        told_to_forward(&mut desk.publisher, &mut desk.serving, 0).await?;
        update(&mut desk.viewer, &mut desk.watching, FIRST, vec![number(FORWARD, 1)]).await?;
        answered(&mut desk.viewer, &mut desk.watching).await?;
        told_to_forward(&mut desk.publisher, &mut desk.serving, 1).await?;
        desk.publisher.send(group(1, 1), &[object(0, "asked for")]).await?;
        assert_eq!(desk.viewer.subgroup().await?.payloads(), [(0, "asked for".into())], "{over:?}");
    }
    Ok(())
}

/// Takes the relay's update, which sets the forward state.
async fn told_to_forward(publisher: &mut Client, serving: &mut RequestStream, state: u64) -> Result<()> {
    let ControlMessage::RequestUpdate(asked) = publisher.next(serving).await? else {
        bail!("expected REQUEST_UPDATE")
    };
    assert!(asked.parameters.contains(&number(FORWARD, state)), "{asked:?}");
    let ok = RequestOk { parameters: Vec::new(), track_properties: Vec::new() };
    Ok(publisher.session().respond_ok(serving, ok).await?)
}

#[tokio::test]
async fn a_namespace_subscription_moves_to_another_prefix() -> Result<()> {
    let world = World::with(&["--open"])?;
    for over in TRANSPORTS {
        let mut publisher = Client::connect(&world, over).await?;
        let mut viewer = Client::connect(&world, over).await?;
        let _desk = publisher.announce("lab/desk").await?;
        let _door = publisher.announce("hall/door").await?;
        let mut watching = viewer.session().subscribe_namespace(namespace("lab"), Vec::new()).await?;
        viewer.agreed(&mut watching).await?;
        let come = |suffix| ControlMessage::Namespace(Namespace { namespace_suffix: namespace(suffix) });
        assert_eq!(viewer.next(&mut watching).await?, come("desk"), "{over:?}");
        let mut prefix = Vec::new();
        namespace("hall").encode_moqt::<Moqt18>(&mut prefix);
        update(&mut viewer, &mut watching, FIRST, vec![bytes(PREFIX, &prefix)]).await?;
        answered(&mut viewer, &mut watching).await?;
        assert_eq!(viewer.next(&mut watching).await?, come("door"), "{over:?}");
    }
    Ok(())
}
