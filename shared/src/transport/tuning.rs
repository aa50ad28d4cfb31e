//! How QUIC is set up here: for live media to many peers, with bounded memory for each.

use std::{sync::Arc, time::Duration};

use quinn::{
    IdleTimeout, TransportConfig, VarInt,
    congestion::{BbrConfig, CubicConfig},
};

use super::{Congestion, Watched, allowance::Allowance, floor::Floored};

/// A peer that is silent for this long is gone. In milliseconds.
const IDLE_TIMEOUT_MS: u32 = 10_000;
/// Three lost keep-alives in a row end a connection.
const KEEP_ALIVE: Duration = Duration::from_secs(3);
/// Bidirectional streams that a peer may have open in the end: requests.
const BI_STREAMS: u32 = 128;
/// Unidirectional streams that a peer may have open in the end: subgroups.
const UNI_STREAMS: u32 = 256;
/// Bytes that wait for acknowledgement or for room on the path: a second of 64 Mbit/s.
const SEND_WINDOW: u64 = 8 << 20;
/// Bytes that a peer may send ahead of our reading, on one stream.
const STREAM_WINDOW: u32 = 4 << 20;
/// The same on the whole connection.
pub(super) const CONNECTION_WINDOW: u32 = 16 << 20;
/// Bytes of datagrams that wait to be sent; the oldest are dropped beyond it.
const DATAGRAM_SEND: usize = 128 << 10;
/// Bytes of datagrams that wait to be received; the oldest are dropped beyond it.
const DATAGRAM_RECEIVE: usize = 256 << 10;
/// A guess until the first measurement: it decides how soon a lost first packet is sent again.
const INITIAL_RTT: Duration = Duration::from_millis(100);
/// What may be in flight before the path is known, in bytes. quinn's BBR would start with 240 kB, which
/// is a second of queue on a slow line.
const BBR_INITIAL_WINDOW: u64 = 32 * 1_200;

/// May always be in flight with BBR, in bytes: 4 Mbit/s at a round trip of 45 ms. It is paid on lines of less
/// than that: at 1 Mbit/s it can become 190 ms of queue. More would be a queue of its own on lines that just
/// carry video.
const WINDOW_FLOOR: u64 = 20 * 1_200;

/// How many streams a peer may have open, bidirectional and unidirectional.
pub(super) const fn allowances() -> (Allowance, Allowance) {
    (Allowance::new(BI_STREAMS), Allowance::new(UNI_STREAMS))
}

/// The settings of a connection, or of all; its events go to `watched`.
pub(crate) fn transport_config(
    congestion: Congestion,
    watched: Option<&mut Watched>,
) -> Arc<TransportConfig> {
    let mut config = TransportConfig::default();
    let (bi, uni) = allowances();
    config
        .qlog_stream(watched.and_then(quic_events))
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(IDLE_TIMEOUT_MS))))
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_concurrent_bidi_streams(bi.now().into())
        .max_concurrent_uni_streams(uni.now().into())
        .send_window(SEND_WINDOW)
        .stream_receive_window(STREAM_WINDOW.into())
        .receive_window(CONNECTION_WINDOW.into())
        .datagram_send_buffer_size(DATAGRAM_SEND)
        .datagram_receive_buffer_size(Some(DATAGRAM_RECEIVE))
        .initial_rtt(INITIAL_RTT)
        .mtu_discovery_config(Some(quinn::MtuDiscoveryConfig::default()))
        // Streams of equal order share the path: they belong to different tracks.
        .send_fairness(true);
    match congestion {
        Congestion::Bbr => {
            let mut bbr = BbrConfig::default();
            bbr.initial_window(BBR_INITIAL_WINDOW);
            config.congestion_controller_factory(Arc::new(Floored {
                factory: Arc::new(bbr),
                floor: WINDOW_FLOOR,
            }));
        }
        Congestion::Cubic => {
            config.congestion_controller_factory(Arc::new(CubicConfig::default()));
        }
    }
    Arc::new(config)
}

/// Where QUIC's own events go.
fn quic_events(watched: &mut Watched) -> Option<quinn::QlogStream> {
    let (writer, start) = watched.quic.take()?;
    let mut config = quinn::QlogConfig::default();
    config.writer(writer).start_time(start);
    config.into_stream()
}
