//! What leaves first, and who waits for whom.

use bytes::BytesMut;

use super::*;
use crate::{
    moqt::{
        EndOfTrack, GroupOrder,
        wire::{
            Fetch as WireFetch, Message, Parameters, RequestId, Setup, StreamHeader, Subscribe,
            SubscribeOk as WireOk, TrackAlias, WireFetchRange,
        },
    },
    transport::{Connection, RecvStream, SendStream},
};

/// A side of which the test writes every message and sees every stream.
pub(super) struct Raw {
    pub(super) connection: Connection,
    pub(super) controls: (SendStream, RecvStream),
    pub(super) requests: Vec<(SendStream, RecvStream)>,
}

impl Raw {
    pub(super) async fn pair() -> (Self, Side) {
        let (client, server) = memory::pair();
        let mut control = client.open_uni().await.expect("open");
        write(&mut control, &Message::Setup(Setup::default())).await;
        let (session, requests) = start(server, Config::new(Role::Server)).await.expect("set up");
        let controls = (control, client.accept_uni().await.expect("control"));
        (Self { connection: client, controls, requests: Vec::new() }, Side { session, requests })
    }

    /// A server, of which the client is a whole session.
    pub(super) async fn publisher(config: Config) -> (Self, Side) {
        let (client, server) = memory::pair();
        let mut control = server.open_uni().await.expect("open");
        write(&mut control, &Message::Setup(Setup::default())).await;
        let (session, requests) = start(client, config).await.expect("set up");
        let controls = (control, server.accept_uni().await.expect("control"));
        (Self { connection: server, controls, requests: Vec::new() }, Side { session, requests })
    }

    /// Grants the client its first subscription, with alias 0.
    pub(super) async fn granted(&mut self, client: &Side, name: &'static str) -> Subscription {
        let grant = async {
            let (mut send, recv) = self.connection.accept_bi().await.expect("a request");
            let (parameters, properties) = (Parameters::default(), Properties::default());
            let ok = WireOk { alias: TrackAlias(0), parameters, properties };
            write(&mut send, &Message::SubscribeOk(ok)).await;
            self.requests.push((send, recv));
        };
        let ask = client.session.subscribe(track(name), SubscribeOptions::default());
        let (subscription, ()) = tokio::join!(ask, grant);
        subscription.expect("granted")
    }

    async fn ask(&mut self, message: &Message) {
        let (mut send, recv) = self.connection.open_bi().await.expect("open");
        write(&mut send, message).await;
        self.requests.push((send, recv));
    }

    pub(super) async fn subscribe(
        &mut self,
        server: &mut Side,
        name: &'static str,
        priority: u8,
    ) -> TrackWriter {
        let request = RequestId(2 * self.requests.len() as u64);
        let parameters = Parameters {
            priority: Some(Priority(priority)),
            order: Some(GroupOrder::Descending),
            ..Parameters::default()
        };
        self.ask(&Message::Subscribe(Subscribe { request, track: track(name), parameters })).await;
        let Some(Request::Subscribe(request)) = server.requests.next().await else { panic!("no request") };
        request.accept(SubscribeOk::default())
    }

    /// What the next stream is about.
    pub(super) async fn header(&self) -> StreamHeader {
        let mut stream = self.connection.accept_uni().await.expect("a stream");
        let bytes = std::future::poll_fn(|cx| stream.poll_read(cx, 64)).await.expect("bytes").expect("some");
        StreamHeader::decode(&mut BytesMut::from(&bytes[..])).expect("valid").expect("whole")
    }
}

pub(super) async fn write(send: &mut SendStream, message: &Message) {
    let mut bytes = BytesMut::new();
    message.encode(&mut bytes).expect("valid");
    let mut chunks = [bytes.freeze()];
    std::future::poll_fn(|cx| send.poll_write(cx, &mut chunks)).await.expect("written");
}

#[tokio::test]
async fn audio_leaves_before_video_before_the_past_and_the_newest_group_first() {
    let (mut raw, mut server) = Raw::pair().await;
    let video = raw.subscribe(&mut server, "video", 64).await;
    let audio = raw.subscribe(&mut server, "audio", 32).await;
    let (start, end) = (Location::new(0, 0), Location::new(1, 0));
    raw.ask(&Message::Fetch(WireFetch {
        request: RequestId(4),
        range: WireFetchRange::Standalone { track: track("old"), start, end },
        parameters: Parameters { priority: Some(Priority(200)), ..Parameters::default() },
    }))
    .await;
    let Some(Request::Fetch(request)) = server.requests.next().await else { panic!("no fetch") };
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    // Nothing is awaited from here on: all of it waits at once when the session's task looks. The least
    // urgent comes first.
    let mut past = request.accept(end, EndOfTrack::No, Properties::default());
    let sent = past.send(object(0, 0, 0, "past"));
    let mut sent = std::pin::pin!(sent);
    let is_sent = sent.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
    assert!(is_sent.is_ready());
    for group in [1, 2, 3] {
        video.push(Item::Object(object(group, 1, 1, "enhancement")));
        video.push(Item::Object(object(group, 0, 0, "base")));
        audio.push(Item::Object(object(group + 10, 0, 0, "audio")));
    }
    let mut seen = Vec::new();
    for _ in 0..10 {
        seen.push(match raw.header().await {
            StreamHeader::Subgroup(header) => {
                (header.alias, header.group.0, header.subgroup.expect("said").0)
            }
            StreamHeader::Fetch(_) => (TrackAlias(99), 0, 0),
            other => panic!("{other:?}"),
        });
    }
    let (video, audio) = (TrackAlias(0), TrackAlias(1));
    let mut expected = vec![(audio, 13, 0), (audio, 12, 0), (audio, 11, 0)];
    for group in [3, 2, 1] {
        expected.extend([(video, group, 0), (video, group, 1)]);
    }
    expected.push((TrackAlias(99), 0, 0));
    assert_eq!(seen, expected);
}

/// All streams of a subscription that its subscriber cancels are reset, those too that were handed over
/// to their FIN and are not read yet.
#[tokio::test]
async fn a_cancelled_subscription_takes_back_what_is_under_way() {
    let (mut raw, mut server) = Raw::pair().await;
    let mut writer = raw.subscribe(&mut server, "video", 64).await;
    writer.push(Item::Object(object(1, 0, 0, "whole")));
    writer.push(end(1, 0));
    let mut stream = raw.connection.accept_uni().await.expect("a stream");
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    let (mut send, mut recv) = raw.requests.remove(0);
    send.reset(1);
    recv.stop(1);
    assert_eq!(writer.event().await, None);
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    let read = std::future::poll_fn(|cx| stream.poll_read(cx, 64)).await;
    assert_eq!(read, Err(crate::transport::StreamError::Peer(1)));
}

#[tokio::test]
async fn a_slow_reader_skips_to_the_newest_group_and_holds_up_nobody() {
    let (client, mut server) = pair().await;
    let options = SubscribeOptions::default();
    let (mut video, slow) = subscribed(&mut server, &client, "video", options, SubscribeOk::default()).await;
    let (mut audio, quick) = subscribed(&mut server, &client, "audio", options, SubscribeOk::default()).await;
    const GROUPS: u64 = 60;
    for group in 0..GROUPS {
        for id in 0..4 {
            assert!(slow.push(Item::Object(object(group, 0, id, vec![0; 400_000]))));
        }
        slow.push(end(group, 0));
        quick.push(Item::Object(object(group, 0, 0, "sound")));
        quick.push(end(group, 0));
        assert!(matches!(audio.recv().await, Some(Received::Item(Item::Object(_)))));
        assert!(matches!(audio.recv().await, Some(Received::Item(Item::End { .. }))));
    }
    let stats = slow.stats();
    assert!(stats.skipped_groups > GROUPS / 4, "{stats:?}");
    assert_eq!(quick.stats().skipped_objects, 0);
    slow.done(DoneCode::TrackEnded, "");
    // Once it reads again, what it gets ends with the newest group, whole.
    let mut groups: std::collections::BTreeMap<GroupId, (u64, Option<SubgroupEnd>)> = Default::default();
    loop {
        match video.recv().await {
            Some(Received::Item(Item::Object(object))) => {
                groups.entry(object.subgroup.group).or_default().0 += 1;
            }
            Some(Received::Item(Item::End { group, end, .. })) => {
                groups.entry(group).or_default().1 = Some(end);
            }
            Some(Received::Done { .. }) => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(groups.last_key_value(), Some((&GroupId(GROUPS - 1), &(4, Some(SubgroupEnd::Finished)))));
    let is_honest = |(objects, end): &(u64, Option<SubgroupEnd>)| match end {
        Some(SubgroupEnd::Finished) => *objects == 4,
        Some(SubgroupEnd::Reset(_)) | None => *objects <= 4,
    };
    assert!(groups.values().all(is_honest), "{groups:?}");
}
