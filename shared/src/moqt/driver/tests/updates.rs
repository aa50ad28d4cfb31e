//! Requests that change while they last.

use std::time::Duration;

use super::*;
use crate::moqt::{
    AuthToken, Changes, Filter, NamespaceEvent, NamespaceSubscription, NamespaceWriter, Refused, RequestCode,
    TokenType, Updated,
};

fn token(value: &'static str) -> AuthToken {
    AuthToken { kind: TokenType(3), value: value.into() }
}

async fn learning(from: &mut Side, to: &Side, prefix: Namespace) -> (NamespaceSubscription, NamespaceWriter) {
    let grant = async {
        match from.requests.next().await {
            Some(Request::SubscribeNamespace(request)) => request.accept(),
            other => panic!("{other:?}"),
        }
    };
    let (subscription, writer) = tokio::join!(to.session.subscribe_namespace(prefix), grant);
    (subscription.expect("granted"), writer)
}

#[tokio::test]
async fn a_subscription_is_changed_and_told_how_far_the_track_is() {
    let (client, mut server) = pair().await;
    let ok = SubscribeOk { largest: Some(Location::new(3, 0)), ..SubscribeOk::default() };
    let (subscription, writer) = subscribed(&mut server, &client, "v", SubscribeOptions::default(), ok).await;
    let filter = Filter::AbsoluteStart(Location::new(9, 0));
    let changes = Changes {
        priority: Some(Priority(7)),
        filter: Some(filter),
        object_timeout: Some(Duration::from_secs(2)),
        tokens: vec![token("new")],
        ..Changes::default()
    };
    let largest = Some(Location::new(3, 0));
    assert_eq!(subscription.change(changes).await, Ok(Updated { largest, expires: None }));
    let options = writer.options();
    assert_eq!((options.priority, options.filter), (Priority(7), filter));
    assert_eq!(options.object_timeout, Some(Duration::from_secs(2)));
    assert_eq!(writer.new_tokens().await, Some(vec![token("new")]));
    assert_eq!(writer.tokens(), [token("new")]);
    drop(writer);
    let Err(Refused::Error { code, .. }) = subscription.change(Changes::default()).await else {
        panic!("it is over")
    };
    assert_eq!(code, RequestCode::InternalError);
}

#[tokio::test]
async fn an_update_that_cannot_be_ends_the_subscription() {
    let (client, mut server) = pair().await;
    let ok = SubscribeOk { largest: Some(Location::new(3, 0)), ..SubscribeOk::default() };
    let (mut subscription, writer) =
        subscribed(&mut server, &client, "v", SubscribeOptions::default(), ok).await;
    let filter = Some(Filter::AbsoluteRange(Location::new(1, 0), GroupId(2)));
    let refused = subscription.change(Changes { filter, ..Changes::default() }).await;
    assert!(matches!(refused, Err(Refused::Error { code: RequestCode::InvalidRange, .. })), "{refused:?}");
    let reason = "group 2 and all before it are over".to_owned();
    let done = Received::Done { code: DoneCode::UpdateFailed, reason };
    assert_eq!(subscription.recv().await, Some(done));
    assert!(writer.is_closed());
}

#[tokio::test]
async fn a_namespace_subscription_moves_to_another_prefix() {
    let (client, mut server) = pair().await;
    let (mut subscription, mut writer) = learning(&mut server, &client, Namespace::new(["a"])).await;
    writer.tell(NamespaceEvent::Published(Namespace::new(["a", "x"])));
    let published =
        |fields: &[&'static str]| Some(NamespaceEvent::Published(Namespace::new(fields.iter().copied())));
    assert_eq!(subscription.next().await, published(&["a", "x"]));
    let answer = async {
        let request = writer.prefix_asked().await.expect("asked");
        assert_eq!(request.prefix(), &Namespace::new(["b"]));
        request.accept();
        writer.tell(NamespaceEvent::Published(Namespace::new(["b", "y"])));
    };
    let (moved, ()) = tokio::join!(subscription.set_prefix(Namespace::new(["b"])), answer);
    assert_eq!(moved, Ok(Updated::default()));
    let withdrawn = NamespaceEvent::Withdrawn(Namespace::new(["a", "x"]));
    assert_eq!(subscription.next().await, Some(withdrawn));
    assert_eq!(subscription.next().await, published(&["b", "y"]));
    // Refused, it ends.
    let answer = async {
        writer.prefix_asked().await.expect("asked").reject(RequestCode::Unauthorized, "not yours");
        assert!(writer.prefix_asked().await.is_none());
    };
    let (moved, ()) = tokio::join!(subscription.set_prefix(Namespace::new(["c"])), answer);
    assert!(matches!(moved, Err(Refused::Error { code: RequestCode::Unauthorized, .. })), "{moved:?}");
    assert_eq!(subscription.next().await, Some(NamespaceEvent::Withdrawn(Namespace::new(["b", "y"]))));
    assert_eq!(subscription.next().await, None);
}

#[tokio::test]
async fn an_announcement_gets_new_tokens_from_who_made_it() {
    let (client, mut server) = pair().await;
    let answer = async {
        match server.requests.next().await {
            Some(Request::PublishNamespace(request)) => request.accept(),
            other => panic!("{other:?}"),
        }
    };
    let (published, heard) = tokio::join!(client.session.publish_namespace(Namespace::new(["a"])), answer);
    let published = published.expect("granted");
    assert_eq!(published.renew(vec![token("b")]).await, Ok(Updated::default()));
    assert_eq!(heard.new_tokens().await, Some(vec![token("b")]));
    assert!(heard.renew(vec![]).await.is_err(), "it is not this side's to change");
}
