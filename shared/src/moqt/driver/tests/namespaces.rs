//! Announcements between two sessions.

use super::*;
use crate::moqt::{NamespaceEvent, NamespaceWriter, PublishedNamespace};

fn namespace(fields: &[&'static str]) -> Namespace {
    Namespace::new(fields.iter().copied())
}

async fn announced(from: &Side, to: &mut Side, name: &Namespace) -> (PublishedNamespace, PublishedNamespace) {
    let grant = async {
        match to.requests.next().await {
            Some(Request::PublishNamespace(request)) => request.accept(),
            other => panic!("{other:?}"),
        }
    };
    let (ours, theirs) = tokio::join!(from.session.publish_namespace(name.clone()), grant);
    (ours.expect("granted"), theirs)
}

async fn learning(
    from: &Side,
    to: &mut Side,
    prefix: &Namespace,
) -> (NamespaceSubscription, NamespaceWriter) {
    let grant = async {
        match to.requests.next().await {
            Some(Request::SubscribeNamespace(request)) => {
                assert_eq!(request.prefix(), prefix);
                request.accept()
            }
            other => panic!("{other:?}"),
        }
    };
    let (ours, theirs) = tokio::join!(from.session.subscribe_namespace(prefix.clone()), grant);
    (ours.expect("granted"), theirs)
}

#[tokio::test]
async fn an_announcement_ends_when_either_side_drops_it() {
    let (client, mut server) = pair().await;
    let stage = namespace(&["room", "demo", "stage"]);
    let (ours, mut theirs) = announced(&client, &mut server, &stage).await;
    assert_eq!(theirs.namespace(), &stage);
    drop(ours);
    theirs.ended().await;
    let (mut ours, theirs) = announced(&client, &mut server, &stage).await;
    drop(theirs);
    ours.ended().await;
    let (mut ours, _theirs) = announced(&client, &mut server, &stage).await;
    drop(server);
    ours.ended().await;
}

#[tokio::test]
async fn namespaces_are_told_and_withdrawn_and_the_end_withdraws_the_rest() {
    let (client, mut server) = pair().await;
    let (mut ours, writer) = learning(&client, &mut server, &namespace(&["room"])).await;
    let (a, b) = (namespace(&["room", "a"]), namespace(&["room", "b"]));
    for event in [
        NamespaceEvent::Published(a.clone()),
        NamespaceEvent::Published(b.clone()),
        NamespaceEvent::Withdrawn(a),
    ] {
        assert!(writer.tell(event.clone()));
        assert_eq!(ours.next().await, Some(event));
    }
    drop(writer);
    assert_eq!(ours.next().await, Some(NamespaceEvent::Withdrawn(b)));
    assert_eq!(ours.next().await, None);

    let (ours, mut writer) = learning(&client, &mut server, &namespace(&["room"])).await;
    drop(ours);
    writer.ended().await;
    assert!(!writer.tell(NamespaceEvent::Published(namespace(&["room", "a"]))));
}

#[tokio::test]
async fn the_sessions_end_withdraws_what_was_told() {
    let (client, mut server) = pair().await;
    let (mut ours, writer) = learning(&client, &mut server, &namespace(&["room"])).await;
    let told = namespace(&["room", "a"]);
    assert!(writer.tell(NamespaceEvent::Published(told.clone())));
    assert_eq!(ours.next().await, Some(NamespaceEvent::Published(told.clone())));
    server.session.close(SessionCode::NoError, "over");
    assert_eq!(ours.next().await, Some(NamespaceEvent::Withdrawn(told)));
    assert_eq!(ours.next().await, None);
}

#[tokio::test]
async fn a_peer_that_does_not_read_its_answers_is_cancelled() {
    let (client, server) = memory::pair();
    let limits = Limits { unread_bytes: 20_000, ..Limits::default() };
    let (client, server) = tokio::join!(
        start(client, Config::new(Role::Client)),
        start(server, Config { limits, ..Config::new(Role::Server) })
    );
    let ((client, _asked), (_server, mut requests)) = (client.expect("client"), server.expect("server"));
    let accept = async {
        match requests.next().await {
            Some(Request::SubscribeNamespace(request)) => request.accept(),
            other => panic!("{other:?}"),
        }
    };
    let (_unread, mut writer) = {
        let (subscription, writer) = tokio::join!(client.subscribe_namespace(Namespace::new(["a"])), accept);
        (subscription.expect("granted"), writer)
    };
    let name = |number: u32| Bytes::from(format!("{number:02000}"));
    let published = |number| NamespaceEvent::Published(Namespace::new([Bytes::from("a"), name(number)]));
    let mut told = 0;
    while told < 2_000 && writer.tell(published(told)) {
        told += 1;
        tokio::task::yield_now().await;
    }
    writer.ended().await;
    assert!(told < 2_000, "{told}");
}
