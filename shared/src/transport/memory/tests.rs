//! A bad network does to streams and datagrams what it says, and the same for the same seed.

use std::future::poll_fn;

use super::*;

const SEED: u64 = 7;

fn rough() -> Weather {
    Weather {
        delay: Duration::from_millis(20),
        jitter: Duration::from_millis(60),
        late: PerMille(100),
        late_by: Duration::from_millis(200),
        cut: PerMille(500),
        window: 100,
        ..Weather::default()
    }
}

async fn write(stream: &mut SendStream, bytes: Vec<u8>) {
    let mut chunks = [Bytes::from(bytes)];
    while !chunks[0].is_empty() {
        poll_fn(|cx| stream.poll_write(cx, &mut chunks)).await.expect("written");
    }
}

async fn read(stream: &mut RecvStream) -> Result<Option<Bytes>, super::super::StreamError> {
    poll_fn(|cx| stream.poll_read(cx, usize::MAX)).await
}

/// Reads to the end.
async fn read_all(stream: &mut RecvStream) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(bytes) = read(stream).await.expect("whole") {
        all.extend_from_slice(&bytes);
    }
    all
}

#[tokio::test(start_paused = true)]
async fn bytes_of_one_stream_stay_in_order_whatever_the_weather() {
    let (left, right, _link) = pair_in(rough(), SEED);
    let begin = Instant::now();
    let sent: Vec<u8> = (0..5_000_u32).map(|at| at as u8).collect();
    let mut out = left.open_uni().await.expect("opened");
    let writing = async {
        write(&mut out, sent.clone()).await;
        out.finish();
        assert_eq!(poll_fn(|cx| out.poll_stopped(cx)).await, None);
    };
    let reading = async { read_all(&mut right.accept_uni().await.expect("a stream")).await };
    let ((), got) = tokio::join!(writing, reading);
    assert!(got == sent);
    assert!(begin.elapsed() > 50 * Duration::from_millis(40), "a window of 100 bytes takes a round trip");
}

/// In which order eight streams and eight datagrams arrive.
async fn arrivals(seed: u64) -> (Vec<u8>, Vec<u8>) {
    let weather = Weather { datagram_loss: PerMille(250), ..rough() };
    let (left, right, _link) = pair_in(weather, seed);
    for number in 0..8 {
        let mut out = left.open_uni().await.expect("opened");
        write(&mut out, vec![number]).await;
        out.finish();
        assert!(left.send_datagram(Bytes::from(vec![number])));
    }
    let (mut streams, mut datagrams) = (Vec::new(), Vec::new());
    for _ in 0..8 {
        streams.extend(read_all(&mut right.accept_uni().await.expect("a stream")).await);
    }
    while let Ok(datagram) = tokio::time::timeout(Duration::from_secs(1), right.recv_datagram()).await {
        datagrams.extend_from_slice(&datagram.expect("connected"));
    }
    (streams, datagrams)
}

#[tokio::test(start_paused = true)]
async fn streams_overtake_datagrams_get_lost_and_a_seed_says_which() {
    let (streams, datagrams) = arrivals(SEED).await;
    assert_ne!(streams, (0..8).collect::<Vec<_>>());
    assert!(!datagrams.is_sorted() && (1..8).contains(&datagrams.len()), "{datagrams:?}");
    assert_eq!(arrivals(SEED).await, (streams.clone(), datagrams.clone()));
    assert_ne!(arrivals(SEED + 1).await, (streams, datagrams));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_is_a_reset_there_and_a_stop_here() {
    let (left, right, _link) = pair_in(Weather { reset: PerMille(1000), ..rough() }, SEED);
    let mut out = left.open_uni().await.expect("opened");
    write(&mut out, vec![1; 50]).await;
    let mut input = right.accept_uni().await.expect("a stream");
    let end = loop {
        match read(&mut input).await {
            Ok(Some(_)) => {}
            end => break end,
        }
    };
    assert_eq!(end, Err(super::super::StreamError::Peer(BROKEN)));
    assert_eq!(poll_fn(|cx| out.poll_stopped(cx)).await, Some(BROKEN));
}

#[tokio::test(start_paused = true)]
async fn a_stall_holds_up_all_that_follows() {
    let weather = Weather { stall: PerMille(1000), stall_for: Duration::from_secs(3), ..Weather::default() };
    let (left, right, _link) = pair_in(weather, SEED);
    let begin = Instant::now();
    left.send_datagram(Bytes::from_static(b"a"));
    right.recv_datagram().await.expect("connected");
    assert_eq!(begin.elapsed(), Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn a_link_that_is_cut_ends_both_ends_each_at_its_time() {
    let (left, right, link) = pair_in(rough(), SEED);
    let begin = Instant::now();
    let mut out = left.open_uni().await.expect("opened");
    let mut input = right.accept_uni().await.expect("a stream");
    write(&mut out, vec![1]).await;
    link.cut(Duration::from_secs(1), Duration::from_secs(2));
    assert_eq!(left.closed().await, ConnectionError::TimedOut);
    assert_eq!(begin.elapsed().as_secs(), 1);
    assert_eq!(poll_fn(|cx| out.poll_stopped(cx)).await, None);
    while let Ok(bytes) = read(&mut input).await {
        assert_eq!(bytes.as_deref(), Some(&[1][..]));
    }
    assert_eq!(right.closed().await, ConnectionError::TimedOut);
    assert_eq!(begin.elapsed().as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_close_is_known_there_after_the_delay() {
    let (left, right, _link) = pair_in(rough(), SEED);
    let begin = Instant::now();
    left.close(3, "enough");
    assert_eq!(left.closed().await, ConnectionError::Local);
    assert_eq!(right.closed().await, ConnectionError::Peer { code: 3, reason: "enough".into() });
    assert!(begin.elapsed() >= Duration::from_millis(20));
}
