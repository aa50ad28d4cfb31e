//! Which tracks of a catalog are played.

use shared::{
    catalog::{Catalog, Track},
    media::{Codec, Resolution},
};

/// A rendition that the catalog does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no rendition {wanted:?}: this broadcast has {available}")]
pub(crate) struct Unknown {
    wanted: String,
    available: String,
}

/// The picture track to play: the one that is named, or the best that a viewport needs. `None` where the
/// broadcast has no pictures.
///
/// # Errors
/// [`Unknown`] lists what there is.
pub(crate) fn video<'a>(
    catalog: &'a Catalog,
    wanted: Option<&str>,
    viewport: Option<Resolution>,
) -> Result<Option<&'a Track>, Unknown> {
    let mut tracks: Vec<&Track> =
        catalog.tracks.iter().filter(|track| matches!(track.codec, Codec::Video(_))).collect();
    let Some(wanted) = wanted.filter(|wanted| *wanted != "auto") else {
        tracks.sort_by_key(|track| (pixels(track), track.bitrate.0));
        let fits = |track: &&&Track| viewport.is_none_or(|viewport| covers(track, viewport));
        return Ok(tracks.iter().find(fits).filter(|_| viewport.is_some()).or(tracks.last()).copied());
    };
    match tracks.iter().find(|track| is_called(track, wanted)) {
        Some(track) => Ok(Some(track)),
        None => Err(Unknown {
            wanted: wanted.to_owned(),
            available: match tracks.as_slice() {
                [] => "no pictures at all".to_owned(),
                tracks => tracks.iter().map(|track| track.name.as_str()).collect::<Vec<_>>().join(", "),
            },
        }),
    }
}

/// The sound track to play: the first.
pub(crate) fn audio(catalog: &Catalog) -> Option<&Track> {
    catalog.tracks.iter().find(|track| matches!(track.codec, Codec::Audio(_)))
}

/// Whether a track has as many pixels as a viewport shows of it; a little less goes unnoticed.
fn covers(track: &Track, viewport: Resolution) -> bool {
    track.resolution.is_none_or(|resolution| {
        resolution.width * 10 >= viewport.width * 9 || resolution.height * 10 >= viewport.height * 9
    })
}

fn pixels(track: &Track) -> u64 {
    track.resolution.map_or(0, |resolution| u64::from(resolution.width) * u64::from(resolution.height))
}

fn is_called(track: &Track, wanted: &str) -> bool {
    let height = track.resolution.map(|resolution| format!("{}p", resolution.height));
    let size = track.resolution.map(|resolution| resolution.to_string());
    track.name == wanted
        || track.label.as_deref() == Some(wanted)
        || track.name.strip_prefix("video-") == Some(wanted)
        || height.as_deref() == Some(wanted)
        || size.as_deref() == Some(wanted)
}

#[cfg(test)]
mod tests {
    use shared::media::{AudioCodec, Bitrate};

    use super::*;

    fn ladder() -> Catalog {
        let video = |height: u32, bits: u32| Track {
            name: format!("video-{height}p"),
            codec: "avc1.42C01F".parse().expect("a codec"),
            bitrate: Bitrate(bits),
            resolution: Some(Resolution { width: height * 16 / 9, height }),
            frame_rate: None,
            render_group: Some(1),
            alt_group: Some(1),
            target_latency: None,
            init_data: None,
            label: None,
        };
        let audio = Track {
            name: "audio".into(),
            codec: Codec::Audio(AudioCodec::Opus),
            resolution: None,
            ..video(360, 64_000)
        };
        Catalog {
            tracks: vec![video(720, 2_000_000), audio, video(360, 600_000), video(1080, 4_000_000)],
            ..Catalog::default()
        }
    }

    #[test]
    fn a_window_gets_the_smallest_that_fills_it() {
        let catalog = ladder();
        let name = |viewport| {
            let track = video(&catalog, None, viewport).expect("a choice").expect("pictures");
            track.name.clone()
        };
        assert_eq!(name(None), "video-1080p");
        assert_eq!(name(Some(Resolution { width: 640, height: 360 })), "video-360p");
        assert_eq!(name(Some(Resolution { width: 1280, height: 720 })), "video-720p");
        assert_eq!(name(Some(Resolution { width: 3840, height: 2160 })), "video-1080p");
    }

    #[test]
    fn an_unknown_rendition_is_answered_with_those_there_are() {
        let catalog = ladder();
        for wanted in ["720p", "video-720p", "1280x720"] {
            let track = video(&catalog, Some(wanted), None).expect("known").expect("pictures");
            assert_eq!(track.name, "video-720p");
        }
        let error = video(&catalog, Some("4K"), None).expect_err("unknown").to_string();
        assert!(error.contains("video-360p, video-1080p"), "{error}");
        assert_eq!(audio(&catalog).map(|track| track.name.as_str()), Some("audio"));
    }
}
