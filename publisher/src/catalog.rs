//! The broadcast's catalog.

use shared::{
    catalog::{Catalog, Track},
    media::{AudioCodec, Bitrate, Codec, Timestamp, VideoCodec},
    naming,
};

use crate::rendition::Rendition;

/// The catalog of a broadcast that is on air: its renditions, best first as the streamer gave them, and its
/// sound.
pub fn on_air(renditions: &[(Rendition, VideoCodec)], audio: Option<Bitrate>, now: Timestamp) -> Catalog {
    let video = renditions.iter().map(|(rendition, codec)| Track {
        name: rendition.track.clone(),
        codec: Codec::Video(*codec),
        bitrate: rendition.bitrate,
        resolution: Some(rendition.resolution),
        frame_rate: Some(rendition.frame_rate),
        render_group: Some(RENDER_GROUP),
        alt_group: Some(LADDER),
        target_latency: None,
        init_data: None,
        label: Some(rendition.label.clone()),
    });
    let audio = audio.map(|bitrate| Track {
        name: naming::AUDIO.to_owned(),
        codec: Codec::Audio(AudioCodec::Opus),
        bitrate,
        resolution: None,
        frame_rate: None,
        render_group: Some(RENDER_GROUP),
        alt_group: None,
        target_latency: None,
        init_data: None,
        label: None,
    });
    Catalog { tracks: video.chain(audio).collect(), generated_at: Some(millis(now)), ..Catalog::default() }
}

/// The last catalog of a broadcast: no tracks, and none will come (MSF-01 `isComplete`).
pub fn ended(now: Timestamp) -> Catalog {
    Catalog { tracks: Vec::new(), generated_at: Some(millis(now)), is_complete: true, ..Catalog::default() }
}

const RENDER_GROUP: u32 = 1;
const LADDER: u32 = 1;

fn millis(now: Timestamp) -> u64 {
    now.0 / 1000
}
