//! The command line, the environment and the configuration file, as one.

use std::{ffi::OsString, fs, net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum, error::ErrorKind};
use shared::{
    naming::Room,
    room::{Role, ViewerId},
    transport::Congestion,
};

mod file;
mod successor;
mod value;

pub use successor::Successor;
pub use value::{ByteCount, StatusAddr, ValueError};

/// A live room's relay: takes broadcasts over Media over QUIC and forwards them to the audience.
#[derive(Debug, Parser)]
#[command(name = "relay", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program is asked to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the relay and its viewer page
    Serve(Box<Config>),
    /// Print what a relay wrote down: rooms, broadcasts, sessions, tracks
    Report(ReportConfig),
    /// Make a token for a host, a moderator or a viewer, or take one back
    Token(Box<TokenConfig>),
}

/// Settings of a running relay. Each is an option, an environment variable and a key of the
/// configuration file, in this order of precedence.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct Config {
    /// TOML file with these options as keys, such as `listen = "[::]:4443"`
    #[arg(long, env = "RELAY_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// UDP address for MoQT over QUIC and WebTransport; port 0 picks a free one
    #[arg(long, env = "RELAY_LISTEN", value_name = "ADDR", default_value = "[::]:4443")]
    pub listen: SocketAddr,

    /// TCP address for the viewer page, /certificate.json and /healthz
    #[arg(long, env = "RELAY_HTTP", value_name = "ADDR", default_value = "[::]:8080")]
    pub http: SocketAddr,

    /// TCP address for operators: /status, /status.json and /metrics, which tell of every room and track. Give
    /// another than this machine's only in a network that you trust; or off. Without it 127.0.0.1 and the port
    /// after that of --http
    #[arg(long, env = "RELAY_STATUS", value_name = "ADDR")]
    pub status: Option<StatusAddr>,

    /// Folder for the self-made certificate and the records
    #[arg(long, env = "RELAY_DATA", value_name = "DIR", default_value = "./data")]
    pub data: PathBuf,

    /// Certificate chain in PEM; without it the relay makes its own and renews it
    #[arg(long, env = "RELAY_CERT", value_name = "PEM", requires = "key")]
    pub cert: Option<PathBuf>,

    /// Private key of --cert in PEM
    #[arg(long, env = "RELAY_KEY", value_name = "PEM", requires = "cert")]
    pub key: Option<PathBuf>,

    /// Further name or address that the self-made certificate is for; may be repeated
    #[arg(long = "host", env = "RELAY_HOST", value_name = "HOST", value_delimiter = ',')]
    pub host: Vec<String>,

    /// Room that may go on air; may be repeated. Without it, any room
    #[arg(long, env = "RELAY_ROOMS", value_name = "ROOM", value_delimiter = ',')]
    pub rooms: Vec<Room>,

    /// Take any namespace from anyone, for experiments and interop
    #[arg(long, env = "RELAY_OPEN", num_args = 0..=1, default_value = "false", default_missing_value = "true")]
    pub open: bool,

    /// Key that tokens are signed with: a file with a secret of at least 32 characters, or with an Ed25519 key in
    /// PEM, of which the public half is enough for a site that makes its own. Without it, token.key in the data folder
    #[arg(long, env = "RELAY_TOKEN_KEY", value_name = "FILE")]
    pub token_key: Option<PathBuf>,

    /// Who may watch: anyone, or only who has a token of the room
    #[arg(long, env = "RELAY_WATCH", value_enum, default_value = "anyone")]
    pub watch: Watch,

    /// Congestion control of what the relay sends: bbr or cubic
    #[arg(long, env = "RELAY_CONGESTION", value_name = "NAME", default_value = "bbr", value_parser = value::congestion)]
    pub congestion: Congestion,

    /// Connections at one time; further ones are refused
    #[arg(long, env = "RELAY_MAX_CONNECTIONS", value_name = "N", default_value = "2000")]
    pub max_connections: usize,

    /// Namespaces or tracks below one prefix that one peer is told of at most; where there are more, it is
    /// to ask for a longer prefix
    #[arg(long, env = "RELAY_MAX_ENUMERATED", value_name = "N", default_value = "1000")]
    pub max_enumerated: usize,

    /// Bytes of each track that are kept for late joiners, such as 16M; the newest group always is
    #[arg(long, env = "RELAY_CACHE_BYTES", value_name = "BYTES", default_value = "16M")]
    pub cache_bytes: ByteCount,

    /// Bytes that the caches of all tracks may hold together; older groups and tracks that nobody watches are
    /// let go first
    #[arg(long, env = "RELAY_CACHE_TOTAL", value_name = "BYTES", default_value = "512M")]
    pub cache_total: ByteCount,

    /// For how long the groups of a track are kept; the newest always is
    #[arg(long, env = "RELAY_CACHE_AGE", value_name = "TIME", default_value = "10s", value_parser = value::duration)]
    pub cache_age: Duration,

    /// Bytes that may wait for one subscription; a viewer that is behind by more skips to the newest group
    #[arg(long, env = "RELAY_QUEUE_BYTES", value_name = "BYTES", default_value = "4M")]
    pub queue_bytes: ByteCount,

    /// Subgroups that may be under way to one subscription; past it the viewer skips to the newest group
    #[arg(long, env = "RELAY_QUEUE_SUBGROUPS", value_name = "N", default_value = "1024")]
    pub queue_subgroups: usize,

    /// For how long a viewer may take nothing of what waits for it before its subscription is ended
    /// (TOO_FAR_BEHIND); 0s for ever
    #[arg(long, env = "RELAY_STUCK", value_name = "TIME", default_value = "10s", value_parser = value::duration)]
    pub stuck: Duration,

    /// For how long a publisher may be silent before its connection is ended; it is asked for an answer
    /// meanwhile. 0s leaves it to QUIC's idle timeout of 10 s, which viewers have
    #[arg(long, env = "RELAY_PUBLISHER_SILENCE", value_name = "TIME", default_value = "2500ms", value_parser = value::duration)]
    pub publisher_silence: Duration,

    /// For how long a track is still taken from its publisher after its last viewer left
    #[arg(long, env = "RELAY_LINGER", value_name = "TIME", default_value = "10s", value_parser = value::duration)]
    pub linger: Duration,

    /// Pause what is published track by track (PUBLISH) while nobody watches it, for publishers with a narrow
    /// uplink; publishers that cannot change a subscription, as those on moq-transport 0.17, end the track then
    #[arg(long, env = "RELAY_PAUSE_OFFERS", num_args = 0..=1, default_value = "false", default_missing_value = "true")]
    pub pause_offers: bool,

    /// For how long at most a viewer may wait for somebody to go on air; 0s for not at all
    #[arg(long, env = "RELAY_RENDEZVOUS", value_name = "TIME", default_value = "10s", value_parser = value::duration)]
    pub rendezvous: Duration,

    /// For how long at most a fetch waits for what only the publisher has; 0s for not at all
    #[arg(long, env = "RELAY_FILL", value_name = "TIME", default_value = "5s", value_parser = value::duration)]
    pub fill: Duration,

    /// Relay that publishers and viewers are sent to when this one stops; without it they come back here
    #[arg(long, env = "RELAY_SUCCESSOR", value_name = "HOST:PORT")]
    pub successor: Option<Successor>,

    /// For how long at most those who are asked to leave may stay when the relay stops
    #[arg(long, env = "RELAY_DRAIN", value_name = "TIME", default_value = "2s", value_parser = value::duration)]
    pub drain: Duration,

    /// Write what QUIC and MoQT do into this folder, as qlog, a file for each connection
    #[arg(long, env = "RELAY_QLOG", value_name = "DIR")]
    pub qlog: Option<PathBuf>,

    /// What to log on standard error, such as info or relay=debug,warn
    #[arg(long, env = "RELAY_LOG", value_name = "FILTER", default_value = "info")]
    pub log: String,
}

/// Settings of a report.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct ReportConfig {
    /// The relay's data folder
    #[arg(long, env = "RELAY_DATA", value_name = "DIR", default_value = "./data")]
    pub data: PathBuf,

    /// Only this room
    #[arg(long, env = "RELAY_ROOM", value_name = "ROOM")]
    pub room: Option<Room>,

    /// How to print it
    #[arg(long, env = "RELAY_FORMAT", value_enum, default_value = "table")]
    pub format: ReportFormat,
}

/// Who may watch a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Watch {
    /// Everybody who knows its name.
    Anyone,
    /// Who has a token of that room.
    Token,
}

/// What `relay token` is to do.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct TokenConfig {
    /// Anything but making one.
    #[command(subcommand)]
    pub action: Option<TokenAction>,
    /// Making one.
    #[command(flatten)]
    pub mint: Option<MintConfig>,
}

/// What else can be done with a token.
#[derive(Debug, Clone, PartialEq, Subcommand)]
pub enum TokenAction {
    /// Take tokens back; a relay that runs ends their sessions within a second
    Revoke(RevokeConfig),
}

/// A token to be made.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct MintConfig {
    /// Room that it is for
    #[arg(long, value_name = "ROOM")]
    pub room: Room,

    /// What its holder may do: host publishes, moderator keeps order, viewer takes part
    #[arg(long, value_enum)]
    pub role: TokenRole,

    /// Name that others see
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// For how long it is good
    #[arg(long, value_name = "TIME", default_value = "12h", value_parser = value::duration)]
    pub ttl: Duration,

    /// Viewer ID; without it a new one
    #[arg(long, value_name = "ID")]
    pub viewer: Option<ViewerId>,

    /// The relay's data folder
    #[arg(long, env = "RELAY_DATA", value_name = "DIR", default_value = "./data")]
    pub data: PathBuf,

    /// The relay's --token-key, where it has one
    #[arg(long, env = "RELAY_TOKEN_KEY", value_name = "FILE")]
    pub token_key: Option<PathBuf>,

    /// Where the relay's pages are, for the link to the room with the token in it
    #[arg(long, env = "RELAY_SITE", value_name = "URL", default_value = "http://localhost:8080")]
    pub site: String,
}

/// Tokens to be taken back.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(group(clap::ArgGroup::new("whose").required(true).args(["token_id", "viewer"])))]
pub struct RevokeConfig {
    /// The token's ID, which is printed where it is made
    #[arg(long, value_name = "ID")]
    pub token_id: Option<String>,

    /// The viewer whose tokens of until now are taken back
    #[arg(long, value_name = "ID")]
    pub viewer: Option<ViewerId>,

    /// Only those of this room
    #[arg(long, value_name = "ROOM", requires = "viewer")]
    pub room: Option<Room>,

    /// The relay's data folder
    #[arg(long, env = "RELAY_DATA", value_name = "DIR", default_value = "./data")]
    pub data: PathBuf,
}

/// What the holder of a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TokenRole {
    /// Publishes, and decides what the room is.
    Host,
    /// Keeps order.
    Moderator,
    /// Watches and takes part.
    Viewer,
}

impl From<TokenRole> for Role {
    fn from(role: TokenRole) -> Self {
        match role {
            TokenRole::Host => Self::Host,
            TokenRole::Moderator => Self::Moderator,
            TokenRole::Viewer => Self::Viewer,
        }
    }
}

/// How a report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// Columns for a terminal.
    Table,
    /// One JSON object.
    Json,
    /// Comma-separated values, one row a session.
    Csv,
    /// A page.
    Html,
}

impl Config {
    /// The defaults, without command line, environment or file.
    pub fn new() -> Self {
        Self {
            config: None,
            listen: SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 0], 4443)),
            http: SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 0], 8080)),
            status: None,
            data: PathBuf::from("./data"),
            cert: None,
            key: None,
            host: Vec::new(),
            rooms: Vec::new(),
            open: false,
            token_key: None,
            watch: Watch::Anyone,
            congestion: Congestion::Bbr,
            max_connections: 2000,
            max_enumerated: 1000,
            cache_bytes: ByteCount(16 << 20),
            cache_total: ByteCount(512 << 20),
            cache_age: Duration::from_secs(10),
            queue_bytes: ByteCount(4 << 20),
            queue_subgroups: 1024,
            stuck: Duration::from_secs(10),
            publisher_silence: Duration::from_millis(2500),
            linger: Duration::from_secs(10),
            pause_offers: false,
            rendezvous: Duration::from_secs(10),
            fill: Duration::from_secs(5),
            successor: None,
            drain: Duration::from_secs(2),
            qlog: None,
            log: "info".to_owned(),
        }
    }
}

impl Config {
    /// Where operators are told how it is, if anywhere; `http` is where viewers are served.
    pub(crate) fn status_addr(&self, http: SocketAddr) -> Option<SocketAddr> {
        match self.status {
            Some(StatusAddr::Off) => None,
            Some(StatusAddr::At(addr)) => Some(addr),
            // Who lets the system choose one port lets it choose both.
            None => Some(SocketAddr::from((
                [127, 0, 0, 1],
                if self.http.port() == 0 { 0 } else { http.port().checked_add(1).unwrap_or(0) },
            ))),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

/// Reads the command line, and with `serve --config` the file, whose keys are the options' names.
///
/// # Errors
/// A wrong command line, a file that cannot be read, an unknown key or a value that does not fit.
/// `clap::Error::exit` prints it and ends with 2 (with 0 for `--help`).
pub fn read<I>(arguments: I) -> Result<Cli, clap::Error>
where
    I: IntoIterator,
    I::Item: Into<OsString>,
{
    let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
    let cli = Cli::try_parse_from(&arguments)?;
    let path = match &cli.command {
        Command::Serve(config) => config.config.as_ref(),
        Command::Report(_) | Command::Token(_) => None,
    };
    let Some(path) = path else { return Ok(cli) };
    let wrong = |message: String| Cli::command().error(ErrorKind::ValueValidation, message);
    let text = fs::read_to_string(path)
        .map_err(|error| wrong(format!("cannot read the configuration file {}: {error}", path.display())))?;
    let command = file::with_defaults(Cli::command(), &text)
        .map_err(|error| wrong(format!("configuration file {}: {error}", path.display())))?;
    Cli::from_arg_matches(&command.try_get_matches_from(arguments)?)
}

#[cfg(test)]
mod tests;
