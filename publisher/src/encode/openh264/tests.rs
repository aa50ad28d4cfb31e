use shared::media::FrameRate;

use super::*;
use crate::encode::{Content, TemporalLayers};

const FPS: u32 = 30;

fn settings(bitrate: u32, layers: u8) -> VideoSettings {
    VideoSettings {
        resolution: Resolution { width: 640, height: 360 },
        frame_rate: FrameRate::new(FPS, 1).expect("a rate"),
        bitrate: Bitrate(bitrate),
        keyframe_interval: Duration::from_secs(2),
        layers: TemporalLayers::new(layers).expect("a number of layers"),
        content: Content::Camera,
    }
}

/// A texture that scrolls, with a little noise as a camera's: never the same twice, always the same seed.
fn scene(resolution: Resolution, index: u64) -> Picture {
    let mut picture = Picture::black(resolution, Timestamp(1_000_000 + index * 1_000_000 / u64::from(FPS)));
    let width = resolution.width as usize;
    let mut noise = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(index + 1);
    let [luma, chroma, _] = picture.planes_mut();
    for (y, row) in luma.chunks_exact_mut(width).enumerate() {
        for (x, pixel) in row.iter_mut().enumerate() {
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            let (x, y) = ((x as u64 + 3 * index) as f64, (y as u64 + index) as f64);
            let wave = 60.0 * (x / 11.0).sin() * (y / 7.0).cos() + 30.0 * ((x + y) / 3.0).sin();
            *pixel = (110.0 + wave + (noise % 9) as f64) as u8;
        }
    }
    for (at, pixel) in chroma.iter_mut().enumerate() {
        *pixel = 96 + ((at as u64 / 16 + index) % 64) as u8;
    }
    picture
}

fn run(encoder: &mut Encoder, from: u64, seconds: u64) -> Vec<VideoFrame> {
    let resolution = encoder.settings.resolution;
    let frame = |index| {
        encoder
            .encode(&scene(resolution, index))
            .expect("encodes")
            .unwrap_or_else(|| panic!("picture {index} is let go"))
    };
    (from..from + seconds * u64::from(FPS)).map(frame).collect()
}

fn bits(frames: &[VideoFrame]) -> f64 {
    frames.iter().map(|frame| frame.payload.len() as f64 * 8.0).sum()
}

/// That every second holds the bitrate within 5 %, and within 8 % wherever a second begins.
fn holds(frames: &[VideoFrame], bitrate: f64, what: &str) {
    for (at, second) in frames.windows(FPS as usize).enumerate() {
        let share = bits(second) / bitrate;
        let most = if at % FPS as usize == 0 { 0.05 } else { 0.08 };
        assert!((share - 1.0).abs() <= most, "{what}: {share:.3} of the bitrate from picture {at} on");
    }
}

#[test]
fn every_second_holds_the_bitrate_within_five_percent() {
    for layers in [1, 2] {
        let mut encoder = Encoder::new(settings(1_500_000, layers)).expect("an encoder");
        run(&mut encoder, 0, 1);
        holds(&run(&mut encoder, 30, 7), 1.5e6, &format!("{layers} layers"));
        encoder.set_bitrate(Bitrate(1_000_000)).expect("a lower bitrate");
        run(&mut encoder, 240, 1);
        holds(&run(&mut encoder, 270, 3), 1e6, &format!("{layers} layers at a lower bitrate"));
    }
}

#[test]
fn key_frames_come_at_the_interval_and_on_demand_and_layers_alternate() {
    let mut encoder = Encoder::new(settings(800_000, 2)).expect("an encoder");
    let mut frames = run(&mut encoder, 0, 2);
    encoder.force_keyframe();
    frames.extend(run(&mut encoder, 60, 1));
    encoder.force_keyframe();
    frames.extend(run(&mut encoder, 90, 3));
    let keys: Vec<usize> = (0..frames.len()).filter(|&index| frames[index].kind == FrameKind::Key).collect();
    assert_eq!(keys, [0, 60, 90, 150]);
    for (index, frame) in frames.iter().enumerate() {
        let since_key = keys.iter().rev().find(|&&key| key <= index).map_or(0, |key| index - key);
        assert_eq!(usize::from(frame.layer.0), since_key % 2, "picture {index}");
        assert_eq!(h264::is_keyframe(&frame.payload), frame.kind == FrameKind::Key, "picture {index}");
    }
}

#[test]
fn a_scene_cut_is_a_key_frame_unless_one_was_just_before() {
    let mut encoder = Encoder::new(settings(800_000, 2)).expect("an encoder");
    let resolution = encoder.settings.resolution;
    let mut kinds = Vec::new();
    for index in 0..50 {
        // Squares, of another size from the pictures 25 and 30 on.
        let side = [24, 40, 56][usize::from(index >= 25) + usize::from(index >= 30)];
        let mut picture = Picture::black(resolution, Timestamp(index));
        let width = resolution.width as usize;
        for (at, pixel) in picture.planes_mut()[0].iter_mut().enumerate() {
            *pixel = if (at % width / side + at / width / side).is_multiple_of(2) { 60 } else { 180 };
        }
        kinds.extend(encoder.encode(&picture).expect("encodes").map(|frame| frame.kind));
    }
    let keys: Vec<usize> = (0..kinds.len()).filter(|&index| kinds[index] == FrameKind::Key).collect();
    assert_eq!((kinds.len(), keys), (50, vec![0, 25]));
}

#[test]
fn screen_content_is_encoded_with_any_number_of_layers() {
    for layers in 1..=3 {
        let settings = VideoSettings { content: Content::Screen, ..settings(800_000, layers) };
        let mut encoder = Encoder::new(settings).expect("an encoder");
        let coded =
            (0..40).filter_map(|at| encoder.encode(&scene(settings.resolution, at / 20)).expect("encodes"));
        assert!(coded.count() > 30, "{layers} layers");
    }
}

#[test]
fn the_codec_string_is_constrained_baseline_with_the_level_of_the_size() {
    let level = |width, height| {
        let settings = VideoSettings { resolution: Resolution { width, height }, ..settings(2_000_000, 2) };
        Encoder::new(settings).expect("an encoder").codec().to_string()
    };
    assert_eq!(level(640, 360), "avc1.42C01E");
    assert_eq!(level(1280, 720), "avc1.42C01F");
}

#[test]
fn a_picture_of_another_size_is_refused_and_the_encoder_lives_on() {
    let mut encoder = Encoder::new(settings(800_000, 2)).expect("an encoder");
    let other = Resolution { width: 320, height: 180 };
    let error = encoder.encode(&scene(other, 0)).expect_err("another size");
    assert!(error.to_string().contains("640x360"), "{error}");
    assert_eq!(run(&mut encoder, 0, 1).len(), 30);
}
