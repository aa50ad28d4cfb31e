//! TRACK_STATUS between two sessions.

use super::*;
use crate::moqt::wire::TrackProperties;

#[tokio::test]
async fn a_track_is_asked_about_without_subscribing() {
    let (client, mut server) = pair().await;
    let properties = TrackProperties { dynamic_groups: true, ..TrackProperties::default() }.encode();
    let ok = SubscribeOk { largest: Some(Location::new(4, 2)), expires: None, properties };
    let answer = async {
        for _ in 0..2 {
            match server.requests.next().await {
                Some(Request::TrackStatus(request)) if request.track() == &track("video") => {
                    request.answer(ok.clone());
                }
                Some(Request::TrackStatus(request)) => request.reject(RequestCode::DoesNotExist, "never was"),
                other => panic!("{other:?}"),
            }
        }
        // Dropped without a word.
        assert!(matches!(server.requests.next().await, Some(Request::TrackStatus(_))));
    };
    let ask = async {
        assert_eq!(client.session.track_status(track("video")).await, Ok(ok.clone()));
        for code in [RequestCode::DoesNotExist, RequestCode::InternalError] {
            match client.session.track_status(track("other")).await {
                Err(Refused::Error { code: refused, .. }) => assert_eq!(refused, code),
                answer => panic!("{answer:?}"),
            }
        }
    };
    tokio::join!(answer, ask);
}

#[tokio::test]
async fn who_asks_about_a_track_and_leaves_is_forgotten_by_both() {
    let (client, mut server) = pair().await;
    let asking = client.session.clone();
    let ask = tokio::spawn(async move { asking.track_status(track("v")).await });
    let Some(Request::TrackStatus(request)) = server.requests.next().await else { panic!("no request") };
    ask.abort();
    assert!(ask.await.is_err());
    request.answer(SubscribeOk::default());
    let (answer, ()) = tokio::join!(client.session.track_status(track("v")), async {
        let Some(Request::TrackStatus(request)) = server.requests.next().await else { panic!("no request") };
        request.answer(SubscribeOk::default());
    });
    assert_eq!(answer, Ok(SubscribeOk::default()));
}

#[tokio::test]
async fn the_sessions_end_answers_too() {
    let (client, mut server) = pair().await;
    let (answer, ()) = tokio::join!(client.session.track_status(track("v")), async {
        let request = server.requests.next().await;
        server.session.close(SessionCode::NoError, "closed");
        drop(request);
    });
    assert!(matches!(answer, Err(Refused::Session(_))), "{answer:?}");
}
