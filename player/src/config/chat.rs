//! The settings of `player chat`.

use std::{path::PathBuf, time::Duration};

use base64::Engine as _;
use clap::{Args, ValueEnum};
use serde::Deserialize;
use shared::{
    naming::Room,
    room::{
        Say, ViewerId, chat, danmaku,
        polls::{PollId, Vote},
        presence::Rename,
        questions::{self, QuestionId, Upvote},
        reactions::{MAX_TAPS, Reaction, Taps},
    },
    transport::tls,
};

use super::{ConfigError, File, duration, parse_relay, required, trust};
use crate::random;

/// Takes part in a room: chat, danmaku, likes, questions, polls.
///
/// In a terminal it shows the room and takes what you type. With --say, --ask, --like, --danmaku, --vote,
/// --upvote or --watch it is for scripts: it says these things one after the other, waiting out cooldowns
/// of up to 30 s, prints what it hears on standard output, and leaves.
///
/// Exit code 0: all was accepted. 1: something was refused (the reason is on standard error) or the relay
/// cannot be reached. 2: wrong command line.
///
/// --format json prints one object a line; "heard" is connected, lost, you, state, chat, danmaku, reactions,
/// accepted, refused, givenUp, full, complaint or end.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct ChatCli {
    /// The relay: moqt://host:port (raw QUIC) or https://host:port (WebTransport).
    #[arg(long, env = "PLAYER_RELAY")]
    relay: Option<String>,
    /// The room to take part in.
    #[arg(long, env = "PLAYER_ROOM")]
    room: Option<String>,
    /// What the relay's operator gave to be let in: it says who you are.
    #[arg(long, env = "PLAYER_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Your ID in the room [default: the token's, else a random one].
    #[arg(long, env = "PLAYER_VIEWER", value_name = "ID")]
    viewer: Option<String>,
    /// The name that others see [default: as the relay knows you].
    #[arg(long, env = "PLAYER_NAME")]
    name: Option<String>,
    /// Say this in the chat; may be given several times.
    #[arg(long, value_name = "TEXT")]
    say: Vec<String>,
    /// Tap the like button so many times.
    #[arg(long, value_name = "N")]
    like: Option<u32>,
    /// Ask the host this; may be given several times.
    #[arg(long, value_name = "TEXT")]
    ask: Vec<String>,
    /// Send this bullet comment; may be given several times.
    #[arg(long, value_name = "TEXT")]
    danmaku: Vec<String>,
    /// Vote in a poll, as in 3:1 for the first choice of poll 3.
    #[arg(long, value_name = "POLL:CHOICE")]
    vote: Vec<String>,
    /// Vote for the question of this number.
    #[arg(long, value_name = "QUESTION")]
    upvote: Vec<u64>,
    /// Listen for this time, as in 90s or 5m, saying meanwhile what there is to say.
    #[arg(long, env = "PLAYER_WATCH", value_name = "DURATION")]
    watch: Option<String>,
    /// How scripts get what is heard [default: text].
    #[arg(long, env = "PLAYER_FORMAT")]
    format: Option<Format>,
    /// Accept any certificate: for experiments only.
    #[arg(long, env = "PLAYER_INSECURE", num_args = 0..=1, default_missing_value = "true")]
    insecure: Option<bool>,
    /// Accept the certificate with this SHA-256 (the relay prints it).
    #[arg(long, env = "PLAYER_CERT_HASH", value_name = "HEX")]
    cert_hash: Option<String>,
    /// Read settings from this TOML file, the same as for watching.
    #[arg(long, env = "PLAYER_CONFIG", value_name = "FILE.toml")]
    config: Option<PathBuf>,
}

/// How a script gets what is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One object a line, for programs.
    Json,
}

/// Settings of `player chat`, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The relay.
    pub relay: url::Url,
    /// The room.
    pub room: Room,
    /// What the relay is shown to be let in.
    pub token: Option<String>,
    /// Who one is.
    pub viewer: ViewerId,
    /// The name that one wants.
    pub name: Option<String>,
    /// Whose certificate is accepted.
    pub trust: tls::Trust,
    /// What to say without a terminal; `None` for a person at one.
    pub script: Option<Script>,
}

/// What to say, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Script {
    /// The sayings.
    pub says: Vec<Say>,
    /// For how long to listen; `None` until all is answered.
    pub watch: Option<Duration>,
    /// How what is heard is printed.
    pub format: Format,
}

impl Config {
    pub(super) fn resolve(cli: ChatCli) -> Result<Self, ConfigError> {
        let file = File::given(cli.config.as_deref())?;
        let required = |name, value| required(name, value, "player chat");
        let token = cli.token.or(file.token);
        let viewer = match cli.viewer.or(file.viewer) {
            Some(text) => text.parse().map_err(|error| ConfigError(format!("--viewer: {error}")))?,
            None => token.as_deref().and_then(viewer_of).unwrap_or_else(anybody),
        };
        let name = cli.name.or(file.name);
        let watch = cli.watch.or(file.watch).map(|text| duration("watch", &text)).transpose()?;
        let mut says: Vec<Say> = Vec::new();
        let texts = |says: &mut Vec<Say>, all: Vec<String>, make: fn(String) -> Say| {
            says.extend(all.into_iter().map(make));
        };
        texts(&mut says, cli.say, say_chat);
        let mut likes = cli.like.unwrap_or(0);
        while likes > 0 {
            let count = likes.min(MAX_TAPS);
            says.push(Say::React(Taps { reaction: Reaction::Like, count }));
            likes -= count;
        }
        texts(&mut says, cli.ask, say_ask);
        texts(&mut says, cli.danmaku, say_danmaku);
        for vote in &cli.vote {
            says.push(Say::Vote(parse_vote(vote)?));
        }
        says.extend(
            cli.upvote.into_iter().map(|number| Say::Upvote(Upvote { question: QuestionId(number) })),
        );
        let is_scripted = !says.is_empty() || watch.is_some();
        if let (true, Some(name)) = (is_scripted, &name) {
            says.insert(0, Say::Rename(Rename { name: name.clone() }));
        }
        let format = cli.format.or(file.format).unwrap_or_default();
        let room = required("room", cli.room.or(file.room))?;
        Ok(Self {
            relay: parse_relay(&required("relay", cli.relay.or(file.relay))?)?,
            room: room.parse().map_err(|error| ConfigError(format!("--room: {error}")))?,
            token,
            viewer,
            name,
            trust: trust(cli.insecure.or(file.insecure), cli.cert_hash.or(file.cert_hash).as_deref())?,
            script: is_scripted.then_some(Script { says, watch, format }),
        })
    }
}

/// A chat message that says this.
pub(crate) fn say_chat(text: String) -> Say {
    Say::Chat(chat::Draft { text, reply_to: None, media: None })
}

/// A question.
pub(crate) fn say_ask(text: String) -> Say {
    Say::Ask(questions::Draft { text })
}

/// A bullet comment.
pub(crate) fn say_danmaku(text: String) -> Say {
    let (color, mode) = (danmaku::Color::default(), danmaku::Mode::default());
    Say::Danmaku(danmaku::Draft { text, color, mode, media: None })
}

fn parse_vote(text: &str) -> Result<Vote, ConfigError> {
    let wrong =
        || ConfigError(format!("--vote: {text:?} is no vote: write 3:1 for the first choice of poll 3"));
    let (poll, choice) = text.split_once(':').ok_or_else(wrong)?;
    let choice = choice.parse::<usize>().ok().and_then(|choice| choice.checked_sub(1)).ok_or_else(wrong)?;
    Ok(Vote { poll: PollId(poll.parse().map_err(|_| wrong())?), choice })
}

/// Whom a token is for. The relay checks it; this only saves its holder from typing.
fn viewer_of(token: &str) -> Option<ViewerId> {
    #[derive(Deserialize)]
    struct Claims {
        sub: ViewerId,
    }
    let claims = token.trim().split('.').nth(1)?;
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).ok()?;
    serde_json::from_slice::<Claims>(&claims).ok().map(|claims| claims.sub)
}

/// A viewer ID that nobody else has.
fn anybody() -> ViewerId {
    format!("guest-{:016x}", random::unguessable()).parse().expect("letters, digits and '-'")
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::{Cli, Command};
    use super::*;

    fn resolve(arguments: &[&str]) -> Result<Config, ConfigError> {
        let all = ["player", "chat", "--relay", "moqt://h", "--room", "r"];
        let cli = Cli::try_parse_from(all.iter().chain(arguments)).map_err(|e| ConfigError(e.to_string()))?;
        match Command::resolve(cli)? {
            Command::Chat(config) => Ok(*config),
            Command::Watch(_) => Err(ConfigError("not chat".into())),
        }
    }

    #[test]
    fn a_script_says_what_it_was_given() {
        let all = ["--say", "a", "--say", "b", "--like", "150", "--vote", "3:1", "--name", "N"];
        let script = resolve(&all).expect("settings").script.expect("a script");
        let like = |count| Say::React(Taps { reaction: Reaction::Like, count });
        assert_eq!(
            script.says,
            [
                Say::Rename(Rename { name: "N".into() }),
                say_chat("a".into()),
                say_chat("b".into()),
                like(100),
                like(50),
                Say::Vote(Vote { poll: PollId(3), choice: 0 }),
            ]
        );
        assert_eq!(resolve(&["--name", "N"]).expect("settings").script, None);
    }

    #[test]
    fn the_token_says_who_one_is() {
        let token = "e30.eyJzdWIiOiJ2LTcifQ.x";
        assert_eq!(resolve(&["--token", token]).expect("settings").viewer.to_string(), "v-7");
        let given = resolve(&["--token", token, "--viewer", "me"]).expect("settings");
        assert_eq!(given.viewer.to_string(), "me");
        let nobody = resolve(&["--token", "no.token"]).expect("settings");
        assert!(nobody.viewer.to_string().starts_with("guest-"));
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (arguments, named) in [
            (["--vote", "3"], "--vote"),
            (["--vote", "3:0"], "--vote"),
            (["--viewer", "a b"], "--viewer"),
            (["--watch", "soon"], "--watch"),
            (["--like", "many"], "--like"),
        ] {
            let error = resolve(&arguments).expect_err(named);
            assert!(error.to_string().contains(named), "{error}");
        }
    }
}
