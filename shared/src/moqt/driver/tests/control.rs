//! What a session and its requests say beside their subject: tokens, names, where to go.

use super::*;
use crate::moqt::{AuthToken, GoingAway, Redirect, Refused, RequestCode, TokenType};

fn token(value: &'static str) -> AuthToken {
    AuthToken { kind: TokenType(3), value: value.into() }
}

#[tokio::test]
async fn each_side_reads_what_the_other_says_in_setup() {
    let (client, server) = memory::pair();
    let config = |role| Config { tokens: vec![token("mine")], ..Config::new(role) };
    let named = Config { implementation: Some("other/2".into()), ..config(Role::Client) };
    let authority = Some("a:1".to_owned());
    let (client, server) = tokio::join!(
        start(client, Config { authority, ..named }),
        start(server, Config { implementation: None, ..config(Role::Server) })
    );
    let ((client, _asked), (server, _)) = (client.expect("client"), server.expect("server"));
    assert_eq!(server.peer_implementation(), Some("other/2"));
    assert_eq!((server.authority(), client.authority()), (Some("a:1"), None));
    assert_eq!(client.peer_implementation(), None);
    assert_eq!((client.peer_tokens(), server.peer_tokens()), (&[token("mine")][..], &[token("mine")][..]));
}

#[tokio::test]
async fn requests_carry_the_tokens_of_their_session() {
    let (client, mut server) = pair().await;
    let with = client.session.with_tokens([token("a"), token("b")]);
    for (session, expected) in [
        (&client.session, vec![]),
        (&with, vec![token("a"), token("b")]),
        (&with, vec![token("a"), token("b")]),
    ] {
        let answer = async {
            let Some(Request::PublishNamespace(request)) = server.requests.next().await else {
                panic!("no announcement")
            };
            assert_eq!(request.tokens(), expected);
            request.accept()
        };
        let (published, heard) = tokio::join!(session.publish_namespace(Namespace::new(["a"])), answer);
        drop((published.expect("granted"), heard));
    }
}

#[tokio::test]
async fn a_refusal_can_send_elsewhere_or_for_later() {
    let (client, mut server) = pair().await;
    let to = Redirect { track: track("w"), ..Redirect::to("moqt://other") };
    let answer = async {
        match server.requests.next().await {
            Some(Request::Subscribe(request)) => request.redirect(to.clone(), "moved", None),
            other => panic!("{other:?}"),
        }
        match server.requests.next().await {
            Some(Request::PublishNamespace(request)) => {
                let later = std::time::Duration::from_millis(30);
                request.reject_until(RequestCode::ExcessiveLoad, "full", later);
            }
            other => panic!("{other:?}"),
        }
    };
    let ask = async {
        let subscribed = client.session.subscribe(track("v"), SubscribeOptions::default()).await;
        (subscribed, client.session.publish_namespace(Namespace::new(["a"])).await)
    };
    let ((subscribed, published), ()) = tokio::join!(ask, answer);
    let moved = Refused::Redirected { to: to.clone(), reason: "moved".into(), retry_after: None };
    assert_eq!(subscribed.expect_err("redirected"), moved);
    let Err(Refused::Error { code: RequestCode::ExcessiveLoad, retry_after, .. }) = published else {
        panic!("{published:?}")
    };
    assert_eq!(retry_after, Some(std::time::Duration::from_millis(30)));
}

#[tokio::test]
async fn a_session_and_each_of_its_requests_can_be_asked_to_leave() {
    let (client, mut server) = pair().await;
    let (subscription, writer) =
        subscribed(&mut server, &client, "v", SubscribeOptions::default(), SubscribeOk::default()).await;
    let to = |uri: &str| Some(GoingAway { uri: uri.into(), timeout: std::time::Duration::from_secs(9) });
    let time = std::time::Duration::from_secs(9);
    writer.goaway("moqt://x", time);
    assert_eq!(subscription.going_away().await, to("moqt://x"));
    subscription.goaway("moqt://y", time);
    assert_eq!(writer.going_away().await, to(""));
    drop(subscription);
    assert_eq!(writer.going_away().await, None);
    server.session.goaway("moqt://z", time);
    assert_eq!(client.session.going_away().await, to("moqt://z"));
    let refused = client.session.subscribe(track("v"), SubscribeOptions::default()).await;
    assert!(matches!(refused, Err(Refused::Error { code: RequestCode::GoingAway, .. })), "{refused:?}");
}
