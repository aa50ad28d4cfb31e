//! Films that ffmpeg makes, against what ffmpeg decodes of them.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use shared::media::{FrameKind, Picture, Resolution, h264};
use tempfile::TempDir;

use super::{
    super::{Clock, CodedSource as _, Error, VideoSource as _},
    *,
};

/// A folder with films.
struct Films(TempDir);

const PICTURES: &str = "-f lavfi -i testsrc2=size=160x120:rate=25:duration=2";
const TONE: &str = "-f lavfi -i sine=frequency=500:sample_rate=44100:duration=2";

impl Films {
    fn new() -> Self {
        Self(TempDir::new().expect("a folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn make(&self, arguments: &str, name: &str) -> PathBuf {
        let path = self.path(name);
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y"]);
        let made =
            ffmpeg.args(arguments.split_whitespace()).arg(&path).output().expect("ffmpeg is installed");
        assert!(made.status.success(), "{arguments}: {}", String::from_utf8_lossy(&made.stderr));
        path
    }

    /// ffmpeg's own decoding as raw bytes.
    fn raw(&self, film: &Path, arguments: &str) -> Vec<u8> {
        let raw = self.make(&format!("-i {} {arguments}", film.display()), "raw");
        std::fs::read(raw).expect("what ffmpeg wrote")
    }
}

fn video(path: &Path, repeat: Repeat) -> Result<Video, Error> {
    Video::open(path, repeat, Arc::new(Clock::default()))
}

fn pictures(path: &Path) -> Vec<(i64, Picture)> {
    let mut video = video(path, Repeat::Once).expect("a film");
    std::iter::from_fn(|| video.take().expect("decodes")).collect()
}

fn sound(path: &Path, repeat: Repeat) -> Sound {
    let sound = Sound::open(path, repeat, Cut::Fails, Arc::new(Clock::default()));
    sound.expect("a film").expect("with sound")
}

/// So many packets, at most.
fn samples(sound: &mut Sound, packets: usize) -> Vec<f32> {
    std::iter::from_fn(|| sound.take().expect("decodes")).take(packets).flatten().collect()
}

fn millis(nanos: i64) -> i64 {
    (nanos + 500_000) / 1_000_000
}

#[test]
fn every_picture_comes_out_once_in_order_at_its_time() {
    let films = Films::new();
    for (name, codec) in [
        ("default.mp4", ""),
        ("baseline.mp4", "-profile:v baseline -g 10"),
        ("main.mp4", "-profile:v main -bf 0 -g 20"),
        ("pyramid.mp4", "-bf 7 -b_strategy 0 -g 33 -x264-params b-pyramid=normal:ref=5:weightp=2"),
        ("open.mp4", "-bf 3 -b_strategy 0 -x264-params open-gop=1:keyint=12:min-keyint=12:scenecut=0"),
        ("fragments.mp4", "-bf 3 -g 12 -movflags frag_keyframe+empty_moov+default_base_moof"),
        ("shifted.mp4", "-bf 3 -g 12 -movflags negative_cts_offsets -video_track_timescale 1000"),
    ] {
        let film = films.make(&format!("{PICTURES} -c:v libx264 -pix_fmt yuv420p {codec}"), name);
        let expected = films.raw(&film, "-f rawvideo -pix_fmt yuv420p");
        let expected: Vec<&[u8]> = expected.chunks_exact(160 * 120 * 3 / 2).collect();
        let seen = pictures(&film);
        let times: Vec<i64> = seen.iter().map(|(due, _)| millis(*due)).collect();
        assert_eq!(times, (0..50).map(|index| index * 40).collect::<Vec<i64>>(), "{name}");
        assert_eq!(expected.len(), 50);
        for (index, ((_, picture), expected)) in seen.iter().zip(&expected).enumerate() {
            let quality = psnr(picture.data(), expected);
            assert!(quality > 35.0, "picture {index} of {name} is ffmpeg's at {quality:.1} dB");
        }
        let rate = video(&film, Repeat::Once).expect("a film").frame_rate();
        assert_eq!(rate.to_string(), "25", "{name}");
    }
}

/// Likeness of two pictures in dB; of equal ones 100.
fn psnr(one: &[u8], other: &[u8]) -> f64 {
    let squares: f64 = one.iter().zip(other).map(|(&a, &b)| f64::from(a.abs_diff(b)).powi(2)).sum();
    10.0 * (255.0 * 255.0 / (squares / one.len() as f64).max(6.5e-6)).log10()
}

/// How much louder the sound is than its difference from another, in dB.
fn likeness(sound: &[f32], other: &[f32]) -> f64 {
    let energy = |of: &mut dyn Iterator<Item = f32>| of.map(|sample| f64::from(sample).powi(2)).sum::<f64>();
    let difference = energy(&mut sound.iter().zip(other).map(|(one, other)| one - other));
    10.0 * (energy(&mut sound.iter().copied()) / difference.max(1e-12)).log10()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]])).collect()
}

#[test]
fn sound_is_what_ffmpeg_hears_at_its_place() {
    let films = Films::new();
    for (name, codec) in [
        ("aac.mp4", "-c:a aac -b:a 128k"),
        ("stereo.mp4", "-c:a aac -ac 2 -ar 48000"),
        ("opus.mp4", "-c:a libopus -b:a 96k"),
    ] {
        let film = films.make(
            &format!("{PICTURES} {TONE} -c:v libx264 -preset ultrafast -pix_fmt yuv420p {codec}"),
            name,
        );
        let expected = floats(&films.raw(&film, "-vn -f f32le -af pan=stereo|c0=c0|c1=c0 -ar 48000"));
        let heard = samples(&mut sound(&film, Repeat::Once), 1000);
        let seconds = heard.len() as f64 / 96_000.0;
        assert!((1.98..=2.1).contains(&seconds), "{seconds} s of {name}");
        let like = likeness(&heard[9_600..180_000], &expected[9_600..180_000]);
        assert!(like > 25.0, "{name} is {like:.1} dB like ffmpeg's");
    }
}

#[test]
fn what_begins_later_is_shown_later_and_a_loop_keeps_both_together() {
    let films = Films::new();
    // Pictures begin 400 ms after the sound, and end so much later.
    let film = films.make(
        &format!("{TONE} -itsoffset 0.4 {PICTURES} -fps_mode passthrough -c:v libx264 -bf 2 -pix_fmt yuv420p -c:a aac"),
        "late.mp4",
    );
    let mut video = video(&film, Repeat::Forever).expect("a film");
    let due: Vec<i64> =
        (0..120).filter_map(|_| video.take().expect("decodes")).map(|(due, _)| millis(due)).collect();
    let expected = (0..120).map(|index| 400 + index / 50 * 2400 + index % 50 * 40);
    assert_eq!(due, expected.collect::<Vec<i64>>());
    let heard = samples(&mut sound(&film, Repeat::Forever), 360);
    let loud = |millis: usize| {
        let part = &heard[millis * 96..(millis + 50) * 96];
        part.iter().map(|sample| sample * sample).sum::<f32>() / part.len() as f32 > 1e-4
    };
    for (at, expected) in [
        (50, true),
        (1900, true),
        (2100, false),
        (2340, false),
        (2410, true),
        (4340, true),
        (4500, false),
        (4810, true),
    ] {
        assert_eq!(loud(at), expected, "sound at {at} ms");
    }
}

#[test]
fn a_film_that_breaks_off_is_played_up_to_there() {
    let films = Films::new();
    let film = films.make(
        &format!("{PICTURES} -c:v libx264 -bf 2 -g 25 -pix_fmt yuv420p -movflags +faststart"),
        "whole.mp4",
    );
    let bytes = std::fs::read(&film).expect("the film");
    let broken = films.path("broken.mp4");
    std::fs::write(&broken, &bytes[..bytes.len() * 2 / 3]).expect("a copy");
    let mut video = video(&broken, Repeat::Once).expect("a film so far");
    let mut count = 0;
    let error = loop {
        match video.take() {
            Ok(Some((due, _))) => {
                assert_eq!(millis(due), 40 * count);
                count += 1;
            }
            Ok(None) => panic!("it ends"),
            Err(Error(error)) => break error,
        }
    };
    assert!((20..45).contains(&count), "{count} pictures");
    assert!(error.contains("breaks off") && error.contains("broken.mp4"), "{error}");
    // Without its index nothing can be played; damaged anywhere, it is refused or played, and never hangs.
    for end in [0, 4, 20, 40] {
        std::fs::write(&broken, &bytes[..end]).expect("a copy");
        let error = self::video(&broken, Repeat::Once).err().expect("no film").0;
        assert!(error.contains("MP4") && error.contains("broken.mp4"), "{error}");
    }
    for at in (0..1200).step_by(7) {
        for value in [0, 1, 0x7f, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] = value;
            std::fs::write(&broken, &damaged).expect("a copy");
            drop(film::Film::open(&broken));
        }
    }
}

#[test]
fn what_cannot_be_played_is_refused_with_what_to_do() {
    let films = Films::new();
    let refused = |path: &Path| video(path, Repeat::Once).err().expect("is refused").0;
    let tiny = "-f lavfi -i testsrc2=size=64x64:rate=10:duration=0.5";
    let text = films.path("text.mp4");
    std::fs::write(&text, "not a film at all, only some words in a row").expect("a file");
    let sound = films.make("-f lavfi -i sine=duration=1 -c:a aac", "sound.mp4");
    let high = films.make(&format!("{tiny} -c:v libx264 -pix_fmt yuv422p"), "high.mp4");
    let fields =
        films.make(&format!("{tiny} -c:v libx264 -pix_fmt yuv420p -x264-params interlaced=1"), "fields.mp4");
    let other = films.make(&format!("{tiny} -c:v mpeg4"), "other.mp4");
    for (path, word) in [
        (text, "is no MP4"),
        (sound, "without video"),
        (high, "ffmpeg -i"),
        (fields, "interlaced"),
        (other, "not H.264"),
        (films.path("none.mp4"), "No such file"),
    ] {
        let error = refused(&path);
        let name = path.display().to_string();
        assert!(error.contains(word) && error.contains(&name), "{word}: {error}");
    }
}

#[test]
fn a_fit_film_is_handed_out_as_it_is_and_others_are_refused() {
    let films = Films::new();
    let open = |path: &Path| Coded::open(path, Repeat::Once, Arc::new(Clock::default()));
    let make = |codec: &str, name: &str| {
        let input = "-f lavfi -i testsrc2=size=160x120:rate=100:duration=0.5";
        films.make(&format!("{input} -c:v libx264 -pix_fmt yuv420p {codec}"), name)
    };
    let fit = make("-profile:v high -bf 0 -g 20", "fit.mp4");
    let mut coded = open(&fit).expect("fit");
    assert_eq!(coded.resolution(), Resolution { width: 160, height: 120 });
    assert_eq!(coded.frame_rate().to_string(), "100");
    assert!(coded.codec().to_string().starts_with("avc1.6400"), "{}", coded.codec());
    let frames: Vec<_> = std::iter::from_fn(|| coded.next().expect("a film")).collect();
    let kinds: Vec<FrameKind> = frames.iter().map(|frame| frame.kind).collect();
    let expected = (0..50).map(|index| if index % 20 == 0 { FrameKind::Key } else { FrameKind::Delta });
    assert_eq!(kinds, expected.collect::<Vec<FrameKind>>());
    for frame in &frames {
        assert_eq!(h264::is_keyframe(&frame.payload), frame.kind == FrameKind::Key);
    }
    assert_eq!(frames[49].timestamp.since(frames[0].timestamp).as_millis(), 490);
    let error = open(&make("-bf 2 -b_strategy 0", "unfit.mp4")).err().expect("unfit").0;
    assert!(error.contains("B-frames") && error.contains("--passthrough"), "{error}");
    let rare = films.make(
        "-f lavfi -i testsrc2=size=64x64:rate=2:duration=12 -c:v libx264 -pix_fmt yuv420p -bf 0 -g 99 -sc_threshold 0",
        "rare.mp4",
    );
    let error = open(&rare).err().expect("unfit").0;
    assert!(error.contains("12 s apart") && error.contains("--passthrough"), "{error}");
}
