//! How long encoding takes and how well every second holds the bitrate, beside openh264 as it is.
//!
//! `cargo bench -p publisher --bench encode [-- PART OF A ROW'S NAME]`

use std::time::{Duration, Instant};

use publisher::{
    capture,
    config::Config,
    encode::{Content, TemporalLayers, VideoEncoder, VideoSettings, openh264::Encoder},
};
use shared::media::{Bitrate, FrameRate, Picture, Resolution};

mod openh264;
mod scene;

use openh264::{Bare, Judge};
use scene::{Kind, Scene};

const FPS: usize = 30;
const PICTURES: u64 = 12 * FPS as u64;

fn main() {
    let only: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    println!(
        "{:38} {:>7} {:>6} {:>6}  {:>15} {:>7} {:>6} {:>6} {:>6}",
        "", "ms", "p99", "ratio", "seconds %", "1st", "key", "PSNR", "let go"
    );
    for (width, height, bitrate) in [(1280, 720, 2_000_000), (640, 360, 600_000)] {
        let resolution = Resolution { width, height };
        for kind in [Kind::Camera, Kind::Cuts, Kind::Screen] {
            let scene = Scene::new(kind, resolution);
            row(&only, &format!("{kind:?} {resolution}"), settings(resolution, bitrate, kind), || {
                Box::new(|index| scene.picture(index))
            });
        }
        row(&only, &format!("Pattern {resolution}"), settings(resolution, bitrate, Kind::Camera), || {
            let size = format!("{width}x{height}@30");
            let arguments = ["publisher", "--relay", "moqt://localhost", "--room", "r", "--rendition", &size];
            let config = Config::read(arguments.map(Into::into)).expect("a configuration");
            let capture::Video::Raw(mut video) = capture::open(&config).expect("the pattern").video else {
                unreachable!("the pattern is not coded");
            };
            Box::new(move |_| video.next().expect("no error").expect("no end"))
        });
    }
}

fn settings(resolution: Resolution, bitrate: u32, kind: Kind) -> VideoSettings {
    VideoSettings {
        resolution,
        frame_rate: FrameRate::new(FPS as u32, 1).expect("a rate"),
        bitrate: Bitrate(bitrate),
        keyframe_interval: Duration::from_secs(2),
        layers: TemporalLayers::default(),
        content: if kind == Kind::Screen { Content::Screen } else { Content::Camera },
    }
}

type Pictures<'a> = Box<dyn FnMut(u64) -> Picture + 'a>;

/// Measures one kind of picture with 1 to 3 layers, with changes of the bitrate, and without us.
fn row<'a>(only: &[String], name: &str, settings: VideoSettings, pictures: impl Fn() -> Pictures<'a>) {
    let wanted = |name: &str| only.is_empty() || only.iter().any(|part| name.contains(part.as_str()));
    let bare_name = format!("{name} bare");
    let bare = wanted(name).then(|| {
        let mut bare = Bare::new(settings);
        let run = Run::of(&mut pictures(), settings, |picture, _| bare.encode(picture));
        run.print(&bare_name, run.mean());
        run.mean()
    });
    for layers in 1..=3 {
        let name = format!("{name} layers {layers}");
        if !wanted(&name) || (layers != 2 && name.contains("Pattern")) {
            continue;
        }
        let settings = VideoSettings { layers: TemporalLayers::new(layers).expect("a count"), ..settings };
        let mut encoder = Encoder::new(settings).expect("an encoder");
        let run = Run::of(&mut pictures(), settings, |picture, _| coded(&mut encoder, picture));
        run.print(&name, bare.unwrap_or(f64::NAN));
    }
    let name = format!("{name} 75%,15%,50%");
    if wanted(&name) && !name.contains("Pattern") {
        let mut encoder = Encoder::new(settings).expect("an encoder");
        let run = Run::of(&mut pictures(), settings, |picture, index| {
            let changed = match index {
                0 => Some(0.75),
                120 => Some(0.15),
                240 => Some(0.5),
                _ => None,
            };
            if let Some(part) = changed {
                encoder
                    .set_bitrate(Bitrate((f64::from(settings.bitrate.0) * part) as u32))
                    .expect("a bitrate");
            }
            coded(&mut encoder, picture)
        });
        run.print_parts(&name, &[(0..120, 0.75), (120..240, 0.15), (240..360, 0.5)]);
    }
}

/// The picture as it is sent; nothing where it is let go.
fn coded(encoder: &mut Encoder, picture: &Picture) -> Vec<u8> {
    encoder.encode(picture).expect("encodes").map(|frame| frame.payload.to_vec()).unwrap_or_default()
}

/// What came out.
struct Run {
    settings: VideoSettings,
    times: Vec<Duration>,
    bits: Vec<f64>,
    error: f64,
}

impl Run {
    fn of(
        pictures: &mut Pictures<'_>,
        settings: VideoSettings,
        mut encode: impl FnMut(&Picture, u64) -> Vec<u8>,
    ) -> Self {
        let mut run = Self { settings, times: Vec::new(), bits: Vec::new(), error: 0.0 };
        let mut judge = Judge::new();
        for index in 0..PICTURES {
            let picture = pictures(index);
            let start = Instant::now();
            let coded = encode(&picture, index);
            run.times.push(start.elapsed());
            run.bits.push(coded.len() as f64 * 8.0);
            run.error += judge.error(&coded, &picture) / PICTURES as f64;
        }
        run
    }

    fn mean(&self) -> f64 {
        self.times.iter().sum::<Duration>().as_secs_f64() * 1e3 / self.times.len() as f64
    }

    /// Worst deviations of all windows of a second after the first, in percent.
    fn worst(bits: &[f64], bitrate: f64) -> (f64, f64) {
        let sums =
            bits[FPS..].windows(FPS).map(|window| window.iter().sum::<f64>() / bitrate * 100.0 - 100.0);
        sums.fold((f64::MAX, f64::MIN), |(low, high), sum| (low.min(sum), high.max(sum)))
    }

    fn print(&self, name: &str, bare: f64) {
        let bitrate = f64::from(self.settings.bitrate.0);
        let (low, high) = Self::worst(&self.bits, bitrate);
        let first = self.bits[..FPS].iter().sum::<f64>() / bitrate * 100.0 - 100.0;
        let largest = self.bits[FPS..].iter().fold(0.0f64, |a, &b| a.max(b)) / bitrate * FPS as f64;
        let mut times = self.times.clone();
        times.sort();
        let p99 = times[times.len() * 99 / 100].as_secs_f64() * 1e3;
        let psnr = 10.0 * (255.0 * 255.0 / self.error).log10();
        let gone = self.bits.iter().filter(|&&bits| bits == 0.0).count();
        println!(
            "{name:38} {:7.2} {p99:6.1} {:6.2}  {low:+7.1} {high:+7.1} {first:+7.1} {largest:6.1} {psnr:6.2} {gone:6}",
            self.mean(),
            self.mean() / bare
        );
        if std::env::var_os("SIZES").is_some() {
            for (index, bits) in self.bits.iter().enumerate() {
                print!("{}{:.2}", if index % 30 == 0 { "\n" } else { " " }, bits / bitrate * FPS as f64);
            }
            println!();
        }
    }

    fn print_parts(&self, name: &str, parts: &[(std::ops::Range<usize>, f64)]) {
        for (range, part) in parts {
            let bitrate = f64::from(self.settings.bitrate.0) * part;
            let (low, high) = Self::worst(&self.bits[range.clone()], bitrate);
            let first = self.bits[range.start..][..FPS].iter().sum::<f64>() / bitrate * 100.0 - 100.0;
            let largest =
                self.bits[range.clone()][FPS..].iter().fold(0.0f64, |a, &b| a.max(b)) / bitrate * FPS as f64;
            let name = format!("{name}: {:.0}%", part * 100.0);
            println!(
                "{name:38} {:7} {:6} {:6}  {low:+7.1} {high:+7.1} {first:+7.1} {largest:6.1}",
                "", "", ""
            );
        }
    }
}
