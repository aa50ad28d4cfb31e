//! GOAWAY: of the relay when it stops, and of the client.

use std::process::Command;

use anyhow::{Result, bail, ensure};
use moqtap_client::draft18::{connection::ConnectionError, endpoint::EndpointError};
use moqtap_codec::draft18::message::{ControlMessage, GoAway};
use tests::world::{PATIENCE, World};

use super::{
    client::{Client, TRANSPORTS, within},
    desk::Desk,
    wire::{group, namespace, object, var},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_relay_asks_to_leave_when_it_is_stopped() -> Result<()> {
    for over in TRANSPORTS {
        let mut world = World::with(&["--open", "--drain", "1s"])?;
        let mut desk = Desk::new(&world, over).await?;

        let status = Command::new("kill").args(["-TERM", &world.relay().id().to_string()]).status()?;
        ensure!(status.success());
        // Requests 0 and, of the viewer, 0: what comes next was not taken.
        for client in [&mut desk.publisher, &mut desk.viewer] {
            let goaway = goaway(client).await?;
            assert_eq!((goaway.new_session_uri.len(), goaway.request_id), (0, Some(var(2))), "{over:?}");
            assert!(goaway.timeout.into_inner() > 0, "{over:?}: {goaway:?}");
            assert_eq!(client.session().endpoint().goaway_uri(), Some(&b""[..]));
        }
        let refused = desk.viewer.subscribe("lab/desk", "more", Vec::new()).await;
        assert!(
            refused.is_err_and(|error| matches!(
                error.downcast_ref(),
                Some(ConnectionError::Endpoint(EndpointError::Draining))
            )),
            "a client that was asked to leave asks for nothing"
        );
        // The tracks are ended in order, and the relay does not wait for longer than it said.
        let ControlMessage::PublishDone(done) = desk.viewer.next(&mut desk.watching).await? else {
            bail!("no PUBLISH_DONE")
        };
        assert_eq!(done.status_code, var(0x4), "GOING_AWAY: {over:?}");
        drop(desk);
        tokio::task::block_in_place(|| world.relay().wait_for(0, PATIENCE))?;
    }
    Ok(())
}

async fn goaway(client: &mut Client) -> Result<GoAway> {
    match within("GOAWAY", client.session().recv_and_dispatch()).await?? {
        ControlMessage::GoAway(goaway) => Ok(goaway),
        other => bail!("expected GOAWAY: {other:?}"),
    }
}

#[tokio::test]
async fn who_says_that_it_leaves_is_served_until_then() -> Result<()> {
    let world = World::with(&["--open"])?;
    for over in TRANSPORTS {
        let mut desk = Desk::new(&world, over).await?;
        let goaway = GoAway { new_session_uri: Vec::new(), timeout: var(10_000), request_id: Some(var(1)) };
        desk.viewer.session().send_control(&ControlMessage::GoAway(goaway)).await?;
        desk.publisher.send(group(1, 1), &[object(0, "still")]).await?;
        assert_eq!(desk.viewer.subgroup().await?.payloads(), [(0, "still".into())], "{over:?}");
        // What it asks for is granted.
        let mut asking = desk.viewer.session().subscribe_namespace(namespace("lab"), Vec::new()).await?;
        desk.viewer.agreed(&mut asking).await?;
    }
    Ok(())
}
