use std::time::Duration;

use shared::media::{FrameRate, Resolution};

use super::*;
use crate::encode::Content;

/// Stands for an encoder: sizes follow from the quantiser, the kind, and chance.
struct Pictures {
    quantiser: Quantiser,
    settings: VideoSettings,
    random: u64,
    index: u32,
    /// Bits of a key frame at quantiser 26, of all else in proportion.
    dear: f64,
    /// How much pictures differ from those before.
    change: f64,
    let_go: usize,
}

impl Pictures {
    fn new(layers: u8, fps: u32, interval: u64, seed: u64) -> Self {
        let settings = VideoSettings {
            resolution: Resolution { width: 640, height: 360 },
            frame_rate: FrameRate::new(fps, 1).expect("a rate"),
            bitrate: Bitrate(600_000),
            keyframe_interval: Duration::from_millis(interval),
            layers: TemporalLayers::new(layers).expect("a number of layers"),
            content: Content::Camera,
        };
        let quantiser = Quantiser::new(&settings);
        Self { quantiser, settings, random: seed, index: 0, dear: 100_000.0, change: 3.0, let_go: 0 }
    }

    /// Even, from -1 to 1.
    fn chance(&mut self) -> f64 {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) as f64 / f64::from(1 << 30) - 1.0
    }

    /// Sizes in bits of so many pictures, each with that much new in it.
    fn run(&mut self, count: u32, fresh: f64) -> Vec<f64> {
        (0..count).map(|_| self.next(fresh)).collect()
    }

    fn next(&mut self, fresh: f64) -> f64 {
        let since = self.index % self.settings.keyframe_pictures();
        let layer = self.settings.layers.of((since % u32::from(self.settings.layers.pattern())) as u8);
        let (kind, became, part) = match layer {
            _ if since == 0 => (Kind::Key, FrameKind::Key, 1.0),
            0 => (Kind::Delta(0), FrameKind::Delta, 0.22),
            layer => (Kind::Delta(layer), FrameKind::Delta, 0.15),
        };
        self.index += 1;
        // What pictures cost wanders, and each differs a little.
        let wander = 1.0 + 0.3 * (f64::from(self.index) / 40.0).sin();
        let Some(qp) =
            self.quantiser.choose(kind, Look { detail: 5.0 * wander - 1.0, fresh, change: self.change })
        else {
            self.let_go += 1;
            return 0.0;
        };
        let part = if self.change < STILL && since > 0 { 0.001 } else { part };
        let part = part + fresh * (1.0 - part);
        let size = self.dear * part * wander * (1.0 + 0.1 * self.chance());
        let bits = (size * ((26.0 - f64::from(qp.0)) / 5.0).exp2() / 8.0).round() * 8.0;
        self.quantiser.book(became, (bits / 8.0) as usize);
        bits
    }
}

/// Least and most of all seconds, as parts of the bitrate.
fn seconds(bits: &[f64], fps: usize, bitrate: f64) -> (f64, f64) {
    let sums = bits.windows(fps).map(|second| second.iter().sum::<f64>() / bitrate);
    sums.fold((f64::MAX, f64::MIN), |(least, most), sum| (least.min(sum), most.max(sum)))
}

#[test]
fn every_second_wherever_it_begins_holds_the_bitrate_within_five_percent() {
    for seed in 0..20 {
        for (layers, fps, interval) in
            [(1, 30, 2000), (2, 30, 2000), (2, 30, 10_000), (2, 60, 2000), (2, 30, 1000)]
        {
            let mut pictures = Pictures::new(layers, fps, interval, seed);
            pictures.run(fps, 0.0);
            let bits = pictures.run(fps * 12, 0.0);
            let (least, most) = seconds(&bits, fps as usize, 6e5);
            let case = format!("{layers} layers, {fps} a second, keys every {interval} ms, seed {seed}");
            assert!(least >= 0.95 && most <= 1.05, "{case}: {least:.3} to {most:.3}");
            let largest = bits.iter().fold(0.0f64, |a, &b| a.max(b)) / 6e5 * f64::from(fps);
            assert!(largest < 6.0, "{case}: a picture of {largest:.1} mean ones");
            assert_eq!(pictures.let_go, 0, "{case}");
        }
    }
}

#[test]
fn another_bitrate_holds_from_the_second_after_its_first() {
    for seed in 0..20 {
        let mut pictures = Pictures::new(2, 30, 2000, seed);
        pictures.run(90, 0.0);
        for bitrate in [1_500_000, 300_000, 1_000_000] {
            pictures.quantiser.set_bitrate(Bitrate(bitrate));
            pictures.run(30, 0.0);
            let (least, most) = seconds(&pictures.run(120, 0.0), 30, f64::from(bitrate));
            assert!(least >= 0.95 && most <= 1.05, "{bitrate}, seed {seed}: {least:.3} to {most:.3}");
        }
    }
}

#[test]
fn a_scene_cut_makes_no_burst() {
    for seed in 0..20 {
        let mut pictures = Pictures::new(2, 30, 2000, seed);
        pictures.run(100, 0.0);
        let cut = pictures.next(1.0) / 20_000.0;
        assert!(cut < 5.0, "seed {seed}: {cut:.1} mean pictures");
        let second = pictures.run(29, 0.0).iter().sum::<f64>() / 6e5 + cut / 30.0;
        assert!(second < 1.1, "seed {seed}: {second:.3} of the bitrate");
    }
}

#[test]
fn what_simple_pictures_leave_is_not_saved_for_a_burst() {
    let mut pictures = Pictures::new(2, 30, 2000, 1);
    pictures.dear = 3_000.0;
    let bits = pictures.run(150, 0.0);
    assert!(seconds(&bits, 30, 6e5).1 < 0.8, "nothing is filled up");
    pictures.dear = 100_000.0;
    let bits = pictures.run(60, 0.0);
    let most = seconds(&bits[10..], 30, 6e5).1;
    assert!(most < 1.1, "{most:.3} of the bitrate");
}

#[test]
fn a_screen_that_stood_still_fills_no_second_when_it_scrolls() {
    for seed in 0..20 {
        let mut pictures = Pictures::new(2, 30, 2000, seed);
        pictures.settings.content = Content::Screen;
        pictures.quantiser = Quantiser::new(&pictures.settings);
        pictures.dear = 800_000.0;
        let mut bits = Vec::new();
        for _ in 0..3 {
            pictures.change = 0.0;
            bits.extend(pictures.run(75, 0.0));
            pictures.change = 25.0;
            bits.extend(pictures.run(2, 0.15));
            bits.extend(pictures.run(28, 0.0));
        }
        let most = seconds(&bits[30..], 30, 6e5).1;
        assert!(most <= 1.1, "seed {seed}: {most:.3} of the bitrate");
        assert!(pictures.let_go < 20, "seed {seed}: {} let go", pictures.let_go);
    }
}

#[test]
fn pictures_that_the_coarsest_cannot_fit_are_let_go_but_no_key_frame() {
    let mut pictures = Pictures::new(2, 30, 2000, 1);
    pictures.dear = 10_000_000.0;
    pictures.run(60, 0.0);
    let bits = pictures.run(240, 0.0);
    assert!(pictures.let_go > 30, "{} let go", pictures.let_go);
    let whole = bits.iter().sum::<f64>() / 8.0 / 6e5;
    assert!(whole < 1.1, "{whole:.3} of the bitrate");
    assert!(bits.iter().step_by(60).all(|&bits| bits > 0.0), "a key frame was let go");
}
