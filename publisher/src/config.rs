//! The command line, the environment and the configuration file, in this order of precedence.
//!
//! A file is TOML whose keys are the long options: `rendition = ["1280x720@30:2M", "640x360:600k"]`. It is
//! read as if its lines were options that the command line lacks, so that all are checked alike.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{ArgAction, CommandFactory, FromArgMatches, Parser, parser::ValueSource};
use shared::{
    media::Bitrate,
    naming::Room,
    transport::{ClientConfig, Congestion, tls::CertHash, tls::Trust},
};
use url::Url;

use crate::{
    capture::{AudioSpec, SourceSpec},
    encode::{Content, TemporalLayers},
    rendition,
};

/// Captures, encodes and puts a broadcast on air over Media over QUIC (MoQT draft-18).
///
/// It ends with exit code 0 when the source ends, the duration has passed or it is interrupted; with 1 when
/// the broadcast fails; with 2 when the command line is wrong.
#[derive(Debug, Clone, Parser)]
#[command(name = "publisher", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Config {
    /// Relay to publish to: moqt://HOST:PORT (raw QUIC) or https://HOST:PORT (WebTransport)
    #[arg(long, env = "PUBLISHER_RELAY", value_name = "URL", value_parser = relay_url)]
    pub relay: Url,

    /// Room to broadcast in: 1 to 64 letters, digits, '-' or '_'
    #[arg(long, env = "PUBLISHER_ROOM", value_name = "NAME")]
    pub room: Room,

    /// Token that the relay's operator gave for the room
    #[arg(long, env = "PUBLISHER_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub token: Option<String>,

    /// What to show: pattern, file:PATH (MP4), y4m:PATH (y4m:- is standard input), screen (X11, the one that
    /// DISPLAY names), `camera[:DEVICE]` (V4L2)
    #[arg(long, env = "PUBLISHER_SOURCE", value_name = "SOURCE", default_value = "pattern")]
    pub source: SourceSpec,

    /// What to hear: tone, file:PATH, mic, none. Default: a tone with the pattern, a file's own sound
    #[arg(long, env = "PUBLISHER_AUDIO", value_name = "AUDIO")]
    pub audio: Option<AudioSpec>,

    /// Begin a file again at its end, for ever
    #[arg(long = "loop", env = "PUBLISHER_LOOP")]
    pub repeat: bool,

    /// A quality on offer: `WIDTHxHEIGHT[@FPS][:BITRATE]`, as in 1280x720@30:2M; may be given several times,
    /// best first. Default: the source's size, at most 1280x720, at the source's frame rate
    #[arg(long, env = "PUBLISHER_RENDITION", value_name = "RENDITION", value_delimiter = ',')]
    pub rendition: Vec<rendition::Spec>,

    /// Send a film's own H.264 without encoding it again: progressive, without B-frames, a key frame at
    /// least every 10 s
    #[arg(long, env = "PUBLISHER_PASSTHROUGH", conflicts_with = "rendition")]
    pub passthrough: bool,

    /// What the pictures are, for the encoder
    #[arg(long, env = "PUBLISHER_CONTENT", value_enum, default_value_t)]
    pub content: Content,

    /// Longest time from one key frame to the next
    #[arg(long, env = "PUBLISHER_KEYFRAME_INTERVAL", value_name = "TIME", default_value = "2s",
        value_parser = keyframe_interval)]
    pub keyframe_interval: Duration,

    /// Temporal layers, 1 to 3: with 2, every other picture can be let go on a bad path
    #[arg(long, env = "PUBLISHER_TEMPORAL_LAYERS", value_name = "N", default_value = "2",
        value_parser = temporal_layers)]
    pub temporal_layers: TemporalLayers,

    /// Bitrate of the sound, 6k to 510k
    #[arg(long, env = "PUBLISHER_AUDIO_BITRATE", value_name = "BITRATE", default_value = "96k")]
    pub audio_bitrate: Bitrate,

    /// End the broadcast after this time, as in 90s, 10m or 2h
    #[arg(long, env = "PUBLISHER_DURATION", value_name = "TIME", value_parser = duration)]
    pub duration: Option<Duration>,

    /// Accept any certificate: for experiments
    #[arg(long, env = "PUBLISHER_INSECURE", conflicts_with = "cert_hash")]
    pub insecure: bool,

    /// Accept exactly the certificate with this SHA-256, as the relay prints it; may be given several times
    #[arg(long, env = "PUBLISHER_CERT_HASH", value_name = "HEX", value_delimiter = ',')]
    pub cert_hash: Vec<CertHash>,

    /// Congestion control: bbr keeps its rate under random loss, cubic is the classic
    #[arg(long, env = "PUBLISHER_CONGESTION", value_name = "NAME", default_value = "bbr",
        value_parser = congestion)]
    pub congestion: Congestion,

    /// Write what QUIC and MoQT do into this folder, as qlog, a file for each connection
    #[arg(long, env = "PUBLISHER_QLOG", value_name = "DIR")]
    pub qlog: Option<PathBuf>,

    /// TOML file with the same options as keys; the command line and the environment come first
    #[arg(long, env = "PUBLISHER_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  publisher --relay moqt://localhost:4443 --room demo --insecure
      the test pattern with a tone
  publisher --relay moqt://live.example:4443 --room demo --source file:film.mp4 --loop \\
      --rendition 1280x720@30:2M --rendition 640x360@30:600k
      a film in two qualities
  ffmpeg -i ... -f yuv4mpegpipe -pix_fmt yuv420p - | publisher ... --source y4m:-
      anything that ffmpeg reads
  publisher ... --source screen --content screen --audio mic
      the X11 screen and the microphone (a build with --features mic)

Every option is also an environment variable (PUBLISHER_RELAY, PUBLISHER_ROOM, ...).
RUST_LOG sets what is logged, as in RUST_LOG=publisher=debug.";

impl Config {
    /// Reads `arguments` (the program's name first), the environment and the file that they name.
    ///
    /// # Errors
    /// clap's error, which prints itself with what to do and knows its exit code: 2 where something is
    /// wrong, 0 where only help was asked for.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut arguments: Vec<OsString> = arguments.into_iter().collect();
        // What is wrong is said below, by the command with all of its rules.
        let lenient = Self::command().mut_args(|arg| arg.required(false));
        let given = lenient.try_get_matches_from(&arguments).ok();
        if let Some((given, path)) =
            given.as_ref().and_then(|given| Some((given, given.get_one::<PathBuf>("config")?)))
        {
            let text = std::fs::read_to_string(path).map_err(|error| {
                wrong(&format!("the configuration file {} cannot be read: {error}", path.display()))
            })?;
            let options = file_options(&text, given)
                .map_err(|reason| wrong(&format!("the configuration file {}: {reason}", path.display())))?;
            arguments.extend(options);
        }
        let matches = Self::command().try_get_matches_from(arguments)?;
        let config = Self::from_arg_matches(&matches).map_err(|error| error.format(&mut Self::command()))?;
        if config.passthrough && !matches!(config.source, SourceSpec::File(_)) {
            return Err(wrong("--passthrough sends a film's own H.264: it needs --source file:PATH"));
        }
        Ok(config)
    }

    /// Trust and congestion control.
    pub(crate) fn transport(&self) -> ClientConfig {
        let trust = match (self.insecure, self.cert_hash.as_slice()) {
            (true, _) => Trust::Anything,
            (false, []) => Trust::System,
            (false, hashes) => Trust::Hashes(hashes.to_vec()),
        };
        ClientConfig { trust, congestion: self.congestion, watcher: None }
    }
}

/// The lines of a file as options, where neither the command line nor the environment has them.
fn file_options(text: &str, given: &clap::ArgMatches) -> Result<Vec<OsString>, String> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
    let command = Config::command();
    let mut options = Vec::new();
    for (key, value) in table {
        let argument = command.get_arguments().find(|argument| argument.get_long() == Some(key.as_str()));
        let Some(argument) = argument.filter(|argument| argument.get_id() != "config") else {
            let known = command.get_arguments().filter_map(clap::Arg::get_long);
            let known: Vec<&str> = known.filter(|name| *name != "config").collect();
            return Err(format!("it has an unknown key {key:?}; known are {}", known.join(", ")));
        };
        let source = given.value_source(argument.get_id().as_str());
        if matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable)) {
            continue;
        }
        let values = match value {
            toml::Value::Array(values) => values,
            value => vec![value],
        };
        for value in values {
            let value = match value {
                toml::Value::String(text) => text,
                toml::Value::Integer(number) => number.to_string(),
                toml::Value::Float(number) => number.to_string(),
                toml::Value::Boolean(set) if matches!(argument.get_action(), ArgAction::SetTrue) => {
                    if set {
                        options.push(format!("--{key}").into());
                    }
                    continue;
                }
                other => return Err(format!("its {key:?} is {other}, which is no value for it")),
            };
            options.push(format!("--{key}={value}").into());
        }
    }
    Ok(options)
}

fn wrong(message: &str) -> clap::Error {
    clap::Error::raw(clap::error::ErrorKind::InvalidValue, format!("{message}\n"))
}

fn relay_url(text: &str) -> Result<Url, String> {
    let hint = "write moqt://HOST:PORT or https://HOST:PORT";
    let url: Url = text.parse().map_err(|error| format!("{error}; {hint}"))?;
    match url.scheme() {
        "moqt" | "https" if url.host_str().is_some_and(|host| !host.is_empty()) => Ok(url),
        _ => Err(hint.to_owned()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let hint = || "write a number with ms, s, m or h, as in 500ms, 90s or 2h".to_owned();
    let split = text.find(|letter: char| letter.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: f64 = number.parse().map_err(|_| hint())?;
    let unit = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(hint()),
    };
    let seconds = number * unit;
    if (0.001..=1e9).contains(&seconds) { Ok(Duration::from_secs_f64(seconds)) } else { Err(hint()) }
}

fn keyframe_interval(text: &str) -> Result<Duration, String> {
    let interval = duration(text)?;
    let range = Duration::from_millis(100)..=Duration::from_secs(10);
    if range.contains(&interval) { Ok(interval) } else { Err("choose 100ms to 10s".to_owned()) }
}

fn temporal_layers(text: &str) -> Result<TemporalLayers, String> {
    text.parse().ok().and_then(TemporalLayers::new).ok_or_else(|| "choose 1, 2 or 3".to_owned())
}

fn congestion(text: &str) -> Result<Congestion, String> {
    match text {
        "bbr" => Ok(Congestion::Bbr),
        "cubic" => Ok(Congestion::Cubic),
        _ => Err("choose bbr or cubic".to_owned()),
    }
}

#[cfg(test)]
mod tests;
