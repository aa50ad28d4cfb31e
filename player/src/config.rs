//! The command line, the environment and the configuration file as one set of settings.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};
use serde::Deserialize;
use shared::{naming::Room, transport::tls};

pub mod chat;
mod danmaku;

/// Watches a live room over Media over QUIC.
///
/// Every option is also an environment variable and a key of the file that --config names, with '_' for
/// '-': the command line wins over the environment, which wins over the file.
///
/// Exit code 0: it did what was asked. 1: it failed. 2: wrong command line.
///
/// --stats json prints one object a second on standard output, and a last one with "final": true. Times
/// end in Ms and are milliseconds. Fields: state, transport, rendition, resolution, startupMs (from the
/// command to the first picture), firstPictureAgeMs (how old it was: a late joiner's is the first of its
/// group), liveAfterMs (from the command to playing at the live edge), glassToGlass (p50, p95, p99, n; from
/// the timecode that the source "pattern" burns in, of pictures captured after playing started), locLatency
/// (the same, from the LOC Timestamp), lipSync (p50, p95: picture against sound), rebuffering (count, durationMs), frames (decoded, dropped, late), bitrate (bits of the last
/// second), rttMs, loss (share of packets), bufferMs, delayMs, rate.
#[derive(Debug, Parser)]
#[command(name = "player", version, verbatim_doc_comment, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    /// What to do other than to watch.
    #[command(subcommand)]
    instead: Option<Instead>,
    /// The relay: moqt://host:port (raw QUIC) or https://host:port (WebTransport).
    #[arg(long, env = "PLAYER_RELAY")]
    relay: Option<String>,
    /// The room to watch.
    #[arg(long, env = "PLAYER_ROOM")]
    room: Option<String>,
    /// What the relay's operator gave to be let in.
    #[arg(long, env = "PLAYER_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Where the picture is shown [default: window].
    #[arg(long, env = "PLAYER_DISPLAY")]
    display: Option<DisplayKind>,
    /// Write the pictures to this file, as y4m.
    #[arg(long, env = "PLAYER_RECORD", value_name = "FILE.y4m")]
    record: Option<PathBuf>,
    /// Write the sound to this file, as WAV.
    #[arg(long, env = "PLAYER_RECORD_AUDIO", value_name = "FILE.wav")]
    record_audio: Option<PathBuf>,
    /// Print statistics once a second.
    #[arg(long, env = "PLAYER_STATS")]
    stats: Option<StatsFormat>,
    /// Stop after this time, as in 90s or 5m [default: at the broadcast's end].
    #[arg(long, env = "PLAYER_DURATION")]
    duration: Option<String>,
    /// The rendition to watch: a track's name, or its height as in 720p [default: the best that fits].
    #[arg(long, env = "PLAYER_RENDITION")]
    rendition: Option<String>,
    /// How much to hold back against jitter: auto, or a time as in 200ms, 0ms for the least delay
    /// [default: auto].
    #[arg(long, env = "PLAYER_LATENCY")]
    latency: Option<String>,
    /// Wait for the room where it is not on air, rather than fail.
    #[arg(long, env = "PLAYER_WAIT", num_args = 0..=1, default_missing_value = "true")]
    wait: Option<bool>,
    /// Accept any certificate: for experiments only.
    #[arg(long, env = "PLAYER_INSECURE", num_args = 0..=1, default_missing_value = "true")]
    insecure: Option<bool>,
    /// Accept the certificate with this SHA-256 (the relay prints it).
    #[arg(long, env = "PLAYER_CERT_HASH", value_name = "HEX")]
    cert_hash: Option<String>,
    /// Loudness in percent [default: 100].
    #[arg(long, env = "PLAYER_VOLUME")]
    volume: Option<u8>,
    /// Write what QUIC and MoQT do into this folder, as qlog, a file for each connection.
    #[arg(long, env = "PLAYER_QLOG", value_name = "DIR")]
    qlog: Option<PathBuf>,
    #[command(flatten)]
    danmaku: danmaku::Options,
    /// Read settings from this TOML file.
    #[arg(long, env = "PLAYER_CONFIG", value_name = "FILE.toml")]
    config: Option<PathBuf>,
}

/// What there is besides watching.
#[derive(Debug, Subcommand)]
enum Instead {
    /// Take part in the room: chat, danmaku, likes, questions, polls.
    Chat(Box<chat::ChatCli>),
}

/// The keys of the configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    relay: Option<String>,
    room: Option<String>,
    token: Option<String>,
    display: Option<DisplayKind>,
    record: Option<PathBuf>,
    record_audio: Option<PathBuf>,
    stats: Option<StatsFormat>,
    duration: Option<String>,
    rendition: Option<String>,
    latency: Option<String>,
    wait: Option<bool>,
    insecure: Option<bool>,
    cert_hash: Option<String>,
    volume: Option<u8>,
    qlog: Option<PathBuf>,
    danmaku: Option<danmaku::Switch>,
    danmaku_opacity: Option<f32>,
    danmaku_area: Option<f32>,
    danmaku_size: Option<f32>,
    danmaku_speed: Option<f32>,
    danmaku_hide: Option<Vec<String>>,
    viewer: Option<String>,
    name: Option<String>,
    watch: Option<String>,
    format: Option<chat::Format>,
}

/// Where the picture is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DisplayKind {
    /// A desktop window.
    Window,
    /// Coloured characters in the terminal.
    Terminal,
    /// Nowhere: for measurements and recordings.
    None,
}

/// How statistics are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatsFormat {
    /// One object a line, for programs.
    Json,
    /// One line for people.
    Text,
}

/// How much is held back against jitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Latency {
    /// As much as the measured jitter asks for.
    #[default]
    Auto,
    /// Always this much.
    Fixed(Duration),
}

/// What to do when a room is not on air.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Wait until it is.
    Wait,
    /// Fail.
    Fail,
}

/// The player's settings, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The relay, as a transport takes it.
    pub relay: url::Url,
    /// The room to watch.
    pub room: Room,
    /// What the relay is shown to be let in.
    pub token: Option<String>,
    /// Where the picture is shown.
    pub display: DisplayKind,
    /// File of the pictures.
    pub record: Option<PathBuf>,
    /// File of the sound.
    pub record_audio: Option<PathBuf>,
    /// How statistics are printed; `None`: not at all.
    pub stats: Option<StatsFormat>,
    /// When to stop, from the command on.
    pub duration: Option<Duration>,
    /// Name or height of the rendition; `None` for the best that fits.
    pub rendition: Option<String>,
    /// How much is held back against jitter.
    pub latency: Latency,
    /// What to do when the room is not on air.
    pub patience: Patience,
    /// Whose certificate is accepted.
    pub trust: tls::Trust,
    /// Loudness from 0 to 1.
    pub volume: f32,
    /// Folder of the qlog files.
    pub qlog: Option<PathBuf>,
    /// How bullet comments are shown in the window.
    pub danmaku: crate::danmaku::Settings,
}

/// A setting that cannot be used: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

/// What the command line asks for.
#[derive(Debug, Clone)]
pub enum Command {
    /// Watch the room.
    Watch(Box<Config>),
    /// Take part in it.
    Chat(Box<chat::Config>),
}

impl Command {
    /// Reads the process's arguments and environment. Prints help or version and leaves where they are
    /// asked for, and leaves with code 2 where an argument is not known.
    ///
    /// # Errors
    /// [`ConfigError`] names the setting, what is wrong with it and what would be right.
    pub fn from_process() -> Result<Self, ConfigError> {
        Self::resolve(Cli::parse())
    }

    fn resolve(mut cli: Cli) -> Result<Self, ConfigError> {
        match cli.instead.take() {
            Some(Instead::Chat(chat)) => chat::Config::resolve(*chat).map(Box::new).map(Self::Chat),
            None => Config::resolve(cli).map(|config| Self::Watch(Box::new(config))),
        }
    }
}

impl Config {
    fn resolve(cli: Cli) -> Result<Self, ConfigError> {
        let file = File::given(cli.config.as_deref())?;
        let required = |name, value| required(name, value, "player");
        let relay = required("relay", cli.relay.or(file.relay))?;
        let room = required("room", cli.room.or(file.room))?;
        let config = Self {
            relay: parse_relay(&relay)?,
            room: room.parse().map_err(|error| ConfigError(format!("--room: {error}")))?,
            token: cli.token.or(file.token),
            display: cli.display.or(file.display).unwrap_or(DisplayKind::Window),
            record: cli.record.or(file.record),
            record_audio: cli.record_audio.or(file.record_audio),
            stats: cli.stats.or(file.stats),
            duration: cli.duration.or(file.duration).map(|text| duration("duration", &text)).transpose()?,
            rendition: cli.rendition.or(file.rendition),
            latency: match cli.latency.or(file.latency).as_deref() {
                None | Some("auto") => Latency::Auto,
                Some(text) => Latency::Fixed(duration("latency", text)?),
            },
            patience: match cli.wait.or(file.wait) {
                Some(true) => Patience::Wait,
                Some(false) | None => Patience::Fail,
            },
            trust: trust(cli.insecure.or(file.insecure), cli.cert_hash.or(file.cert_hash).as_deref())?,
            volume: f32::from(cli.volume.or(file.volume).unwrap_or(100).min(100)) / 100.0,
            qlog: cli.qlog.or(file.qlog),
            danmaku: cli.danmaku.or(danmaku::Options {
                danmaku: file.danmaku,
                danmaku_opacity: file.danmaku_opacity,
                danmaku_area: file.danmaku_area,
                danmaku_size: file.danmaku_size,
                danmaku_speed: file.danmaku_speed,
                danmaku_hide: file.danmaku_hide,
            })?,
        };
        if config.display == DisplayKind::Terminal && config.stats.is_some() {
            return Err(ConfigError(
                "--display terminal and --stats both write to standard output: leave one out".into(),
            ));
        }
        if config.display == DisplayKind::Window && cfg!(not(feature = "window")) {
            return Err(ConfigError(
                "this build has no window: use --display terminal or none, or build with --features window"
                    .into(),
            ));
        }
        Ok(config)
    }
}

fn required(name: &str, value: Option<String>, program: &str) -> Result<String, ConfigError> {
    value.ok_or_else(|| ConfigError(format!("--{name} is missing: see {program} --help")))
}

impl File {
    /// The file that the command line names, where it names one.
    fn given(path: Option<&std::path::Path>) -> Result<Self, ConfigError> {
        match path {
            Some(path) => Self::read(path).map_err(|error| ConfigError(format!("{error:#}"))),
            None => Ok(Self::default()),
        }
    }

    fn read(path: &std::path::Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("--config: {} cannot be read", path.display()))?;
        toml::from_str(&text)
            .with_context(|| format!("--config: {} is no settings file of the player", path.display()))
    }
}

fn parse_relay(text: &str) -> Result<url::Url, ConfigError> {
    let url = url::Url::parse(text)
        .map_err(|error| ConfigError(format!("--relay: {text:?} is no URL ({error}): {RELAY_FORM}")))?;
    match url.scheme() {
        "moqt" | "https" if url.host().is_some() => Ok(url),
        _ => Err(ConfigError(format!("--relay: {text:?} cannot be used: {RELAY_FORM}"))),
    }
}

const RELAY_FORM: &str = "write moqt://host:port for raw QUIC or https://host:port for WebTransport";

fn trust(insecure: Option<bool>, hash: Option<&str>) -> Result<tls::Trust, ConfigError> {
    match (insecure, hash) {
        (Some(true), Some(_)) => {
            Err(ConfigError("--insecure and --cert-hash exclude each other: leave one out".into()))
        }
        (Some(true), None) => Ok(tls::Trust::Anything),
        (_, Some(hash)) => tls::CertHash::from_str(hash)
            .map(|hash| tls::Trust::Hashes(vec![hash]))
            .map_err(|error| ConfigError(format!("--cert-hash: {error}"))),
        (_, None) => Ok(tls::Trust::System),
    }
}

/// Parses `500ms`, `10s`, `5m`, `2h`, or a plain number of seconds.
fn duration(option: &str, text: &str) -> Result<Duration, ConfigError> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.get(number.len()..) {
        Some("ms") => 1e-3,
        Some("s" | "") => 1.0,
        Some("m") => 60.0,
        Some("h") => 3600.0,
        _ => f64::NAN,
    };
    let seconds = number.parse::<f64>().unwrap_or(f64::NAN) * unit;
    if (0.0..=1e9).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(ConfigError(format!("--{option}: {text:?} is no time: write 500ms, 10s, 5m or 2h")))
    }
}

impl fmt::Display for DisplayKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Window => "window",
            Self::Terminal => "terminal",
            Self::None => "none",
        })
    }
}

#[cfg(test)]
impl Cli {
    /// Settings for a test, with a relay and a room.
    pub(crate) fn settings(arguments: &[&str]) -> Result<Config, ConfigError> {
        let all = ["player", "--relay", "moqt://localhost:4443", "--room", "demo"];
        let cli =
            Self::try_parse_from(all.iter().chain(arguments)).map_err(|e| ConfigError(e.to_string()))?;
        Config::resolve(cli)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn resolve(arguments: &[&str]) -> Result<Config, ConfigError> {
        Cli::settings(arguments)
    }

    #[test]
    fn the_command_line_wins_over_the_file() {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        write!(file, "display = \"none\"\nduration = \"5s\"\nwait = true\nvolume = 40").expect("written");
        let path = file.path().to_str().expect("a path");
        let config = resolve(&["--config", path, "--duration", "90ms"]).expect("settings");
        assert_eq!(config.display, DisplayKind::None);
        assert_eq!(config.duration, Some(Duration::from_millis(90)));
        assert_eq!(config.patience, Patience::Wait);
        assert_eq!(config.volume, 0.4);
    }

    #[test]
    fn unknown_keys_of_the_file_are_refused_by_name() {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        write!(file, "dispaly = \"none\"").expect("written");
        let error = resolve(&["--config", file.path().to_str().expect("a path")]).expect_err("refused");
        assert!(error.to_string().contains("dispaly"), "{error}");
    }

    #[test]
    fn settings_that_cannot_be_used_are_named() {
        for (arguments, named) in [
            (&["--duration", "soon"][..], "--duration"),
            (&["--latency=-1s"], "--latency"),
            (&["--relay", "http://localhost"], "--relay"),
            (&["--relay", "localhost:4443"], "--relay"),
            (&["--room", "a/b"], "--room"),
            (&["--display", "terminal", "--stats", "json"], "--stats"),
            (&["--danmaku-opacity", "2"], "--danmaku-opacity"),
        ] {
            let mut cli =
                Cli::try_parse_from(["player", "--room", "r", "--relay", "moqt://h"]).expect("parsed");
            let given = Cli::try_parse_from(std::iter::once("player").chain(arguments.iter().copied()));
            let given = match given {
                Ok(given) => given,
                Err(error) => {
                    assert!(error.to_string().contains(named), "{error}");
                    continue;
                }
            };
            cli.relay = given.relay.or(cli.relay);
            cli.room = given.room.or(cli.room);
            cli.duration = given.duration;
            cli.latency = given.latency;
            cli.display = given.display;
            cli.stats = given.stats;
            cli.danmaku = given.danmaku;
            let error = Config::resolve(cli).expect_err(named);
            assert!(error.to_string().contains(named), "{error}");
        }
    }
}
