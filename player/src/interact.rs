//! Taking part in a room: a session of its own that says and hears, and comes back by itself.
//!
//! | module | what it is |
//! |---|---|
//! | `ears` | the room's tracks |
//! | `script` | what a script says and prints |
//! | `desk` | what a person sees and types, without the terminal |
//! | `screen` | the terminal |

use std::{
    io::IsTerminal as _,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::bail;
use bytes::Bytes;
use shared::{
    moqt::{
        Filter, GroupId, Item, Object, ObjectId, Priority, Properties, PublishOffer, Refused, Session,
        SessionCode, Status, Subgroup, SubgroupEnd, SubgroupId, SubscribeOptions, Subscription, TrackWriter,
    },
    room::{
        Refusal, Reply, Say, SayId, Snapshot,
        chat::Line,
        danmaku::Bullet,
        reactions::Tally,
        say::You,
        speaker::{Outcome, Speaker, Transmit},
    },
    transport::Route,
};
use tokio::{sync::mpsc, time::sleep};

use crate::{
    clock::until,
    config::chat::Config,
    random,
    session::{Backoff, is_about_access, reach},
};
use ears::{Ears, Over, payload_of};

mod desk;
pub(crate) mod ears;
mod screen;
mod script;

/// What may wait to be said; whoever speaks waits for a place.
const MOST_SAYINGS: usize = 64;
/// What may wait to be read. When it is full the driver waits, and the relay with it, by flow control.
const MOST_HEARD: usize = 1024;
/// A saying up to this size is a datagram; a larger one gets a stream.
const DATAGRAM_BYTES: usize = 1150;

/// What a viewer hears of the room, and of what it said itself.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// The room can be spoken to.
    Connected,
    /// The relay is gone; it is tried again.
    Lost(String),
    /// Who one is.
    You(You),
    /// The room as it stands.
    State(Box<Snapshot>),
    /// Chat.
    Line(Line),
    /// A bullet.
    Bullet(Bullet),
    /// Taps so far.
    Tally(Tally),
    /// What became of a saying.
    Outcome(Outcome),
    /// Too much waits already: this was not taken.
    Full(Say),
    /// The room could not read something.
    Complaint(Refusal),
    /// Nothing follows.
    End(String),
}

/// Takes part as the settings say, until it is done or the viewer leaves.
///
/// # Errors
/// What went wrong or was refused, in words for a person.
pub fn run(config: Config) -> anyhow::Result<()> {
    let is_scripted = config.script.is_some();
    let is_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    if !is_scripted && !is_terminal {
        bail!(
            "player chat needs a terminal to type in; scripts say what they want with --say, --ask, --like and the others, or listen with --watch"
        );
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (says, heard) = {
        let _inside = runtime.enter();
        join(config.clone())
    };
    let result = match config.script {
        Some(script) => runtime.block_on(script::run(script, says, heard)),
        None => screen::run(&config, &says, heard),
    };
    runtime.shutdown_timeout(Duration::from_millis(300));
    result
}

/// Takes part from within a program, in a task of the present runtime: what is sent is said, what comes is heard.
/// The task ends once the sender is dropped or [`Heard::End`] was told. Who does not read holds up no more than
/// this one session.
pub fn join(config: Config) -> (mpsc::Sender<Say>, mpsc::Receiver<Heard>) {
    let (says, sayings) = mpsc::channel(MOST_SAYINGS);
    let (events, heard) = mpsc::channel(MOST_HEARD);
    tokio::spawn(Driver::new(config, sayings, events).run());
    (says, heard)
}

/// The task that speaks and hears.
struct Driver {
    config: Config,
    sayings: mpsc::Receiver<Say>,
    events: mpsc::Sender<Heard>,
    speaker: Speaker,
    ears: Ears,
    route: Route,
}

/// A session in which the room can be spoken to.
struct Voice {
    session: Session,
    writer: TrackWriter,
    replies: Subscription,
    group: u64,
    object: u64,
}

impl Driver {
    fn new(config: Config, sayings: mpsc::Receiver<Say>, events: mpsc::Sender<Heard>) -> Self {
        let mut speaker = Speaker::new(first_id());
        speaker.disconnected();
        let route = Route::new(config.relay.clone());
        Self { config, sayings, events, speaker, ears: Ears::default(), route }
    }

    async fn run(mut self) {
        let reason = match self.take_part().await {
            Ok(()) => String::new(),
            Err(error) => format!("{error:#}"),
        };
        let _ = self.events.send(Heard::End(reason)).await;
    }

    /// Until whoever speaks is gone.
    async fn take_part(&mut self) -> anyhow::Result<()> {
        let mut backoff = Backoff::default();
        let mut was_there = false;
        loop {
            let reason = match self.open().await {
                Ok(voice) => {
                    was_there = true;
                    backoff = Backoff::default();
                    match self.stay(voice).await {
                        Some(reason) => reason,
                        None => return Ok(()),
                    }
                }
                Err(Failed::ForGood(reason)) => bail!(reason),
                Err(Failed::ForNow(reason)) if !was_there => bail!(reason),
                Err(Failed::ForNow(reason)) => {
                    self.route.failed();
                    reason
                }
            };
            self.speaker.disconnected();
            self.tell(Heard::Lost(reason)).await;
            let pause = sleep(backoff.next());
            tokio::pin!(pause);
            loop {
                self.pump(None).await;
                let deadline = self.speaker.deadline();
                tokio::select! {
                    () = &mut pause => break,
                    () = until(deadline) => {}
                    say = self.sayings.recv() => match say {
                        Some(say) => self.say(say).await,
                        None => return Ok(()),
                    },
                }
            }
        }
    }

    /// Connects, hears who one is here, and takes up all tracks.
    async fn open(&mut self) -> Result<Voice, Failed> {
        let config = &self.config;
        let (session, _) = reach(&config.trust, config.token.as_deref(), None, self.route.url())
            .await
            .map_err(|error| Failed::ForNow(format!("{error:#}")))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let options = SubscribeOptions {
            priority: Priority(8),
            filter: Filter::Unfiltered,
            ..SubscribeOptions::default()
        };
        let replies = session.subscribe(config.room.replies(&config.viewer), options).await?;
        let writer = session.publish(config.room.say(&config.viewer), PublishOffer::default()).await?;
        self.ears.open(&session, &config.room).await?;
        // Groups go on growing over connections: an object that was sent before is not another one now.
        let group = u64::try_from(now.as_millis()).unwrap_or_default();
        Ok(Voice { session, writer, replies, group, object: 0 })
    }

    /// Takes part in a session until it is over; `None` where whoever speaks is gone.
    async fn stay(&mut self, mut voice: Voice) -> Option<String> {
        self.speaker.reconnected();
        self.tell(Heard::Connected).await;
        let mut taken = false;
        loop {
            self.pump(Some(&mut voice)).await;
            while let Some(heard) = self.ears.poll(Instant::now()) {
                self.tell(heard).await;
            }
            self.ears.fetch_missing(Instant::now(), &voice.session, &self.config.room);
            let deadline = [self.speaker.deadline(), self.ears.deadline()].into_iter().flatten().min();
            tokio::select! {
                say = self.sayings.recv() => match say {
                    Some(say) => self.say(say).await,
                    None => {
                        voice.session.close(SessionCode::NoError, "this viewer left");
                        return None;
                    }
                },
                received = voice.replies.recv() => match payload_of(received) {
                    Ok(Some((_, payload))) => self.answered(&payload).await,
                    Ok(None) => {}
                    Err(Over) => return Some("the relay ended the room's answers".into()),
                },
                granted = voice.writer.granted(), if !taken => match granted {
                    Ok(_) => taken = true,
                    Err(refused) => return Some(format!("the relay takes nothing said: {refused}")),
                },
                heard = self.ears.hear() => if let Err(Over) = heard {
                    return Some("the relay ended what the room says".into());
                },
                () = until(deadline) => {}
                Some(going) = voice.session.going_away() => {
                    return Some(match self.route.send_on(Instant::now(), &going.uri) {
                        Ok(()) => "the relay sends elsewhere".into(),
                        Err(error) => error.to_string(),
                    });
                }
                closed = voice.session.closed() => return Some(closed.reason),
            }
        }
    }

    async fn say(&mut self, say: Say) {
        if self.speaker.say(Instant::now(), say.clone()).is_err() {
            self.tell(Heard::Full(say)).await;
        }
    }

    async fn answered(&mut self, payload: &[u8]) {
        match serde_json::from_slice(payload) {
            Ok(Reply::You(you)) => self.tell(Heard::You(you)).await,
            Ok(Reply::Refused { id: None, why }) => self.tell(Heard::Complaint(why)).await,
            Ok(reply) => self.speaker.heard(Instant::now(), &reply),
            Err(error) => tracing::debug!(%error, "an answer of the room cannot be read"),
        }
    }

    /// Sends what is due, and tells what became of what was said.
    async fn pump(&mut self, mut voice: Option<&mut Voice>) {
        while let Some(transmit) = self.speaker.poll(Instant::now()) {
            if let Some(voice) = voice.as_deref_mut() {
                voice.send(transmit);
            }
        }
        while let Some(outcome) = self.speaker.outcome() {
            self.tell(Heard::Outcome(outcome)).await;
        }
    }

    async fn tell(&self, heard: Heard) {
        let _ = self.events.send(heard).await;
    }
}

impl Voice {
    fn send(&mut self, Transmit { payload, .. }: Transmit) {
        if payload.len() <= DATAGRAM_BYTES {
            let object = self.object(payload);
            self.object += 1;
            self.writer.push(Item::Datagram(object));
            return;
        }
        // A group of its own: what was sent before it does not mix with its stream.
        self.group += 1;
        self.object = 0;
        let mut object = self.object(payload);
        object.subgroup.from_first = true;
        let (group, subgroup) = (object.subgroup.group, object.subgroup.id);
        self.writer.push(Item::Object(object));
        self.writer.push(Item::End { group, subgroup, end: SubgroupEnd::Finished });
        self.group += 1;
    }

    fn object(&self, payload: Bytes) -> Object {
        let subgroup = Subgroup {
            group: GroupId(self.group),
            id: SubgroupId(0),
            priority: Priority(8),
            ends_group: false,
            from_first: false,
        };
        let id = ObjectId(self.object);
        Object { subgroup, id, status: Status::Normal, properties: Properties::default(), payload }
    }
}

/// Why a session did not come about.
enum Failed {
    /// It may another time.
    ForNow(String),
    /// It never will.
    ForGood(String),
}

impl From<Refused> for Failed {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Error { code, reason, .. } if is_about_access(code) => Self::ForGood(format!(
                "the relay does not let you take part ({reason}): pass a valid --token, and the --viewer that it is for"
            )),
            refused => Self::ForNow(format!("the room does not answer: {refused}")),
        }
    }
}

/// A random number of 53 bits.
fn first_id() -> SayId {
    SayId(random::unguessable() >> 11)
}

/// Why something was not applied, in words for a person.
pub(crate) fn reason(why: &Refusal) -> String {
    match why {
        Refusal::TooFast { seconds } => format!("too fast: again in {seconds:.1} s"),
        Refusal::Busy { seconds } => format!("the room is very busy: again in {seconds:.1} s"),
        Refusal::Muted { seconds } => format!("you are muted for another {seconds:.0} s"),
        Refusal::Banned => "you were sent away from this room".into(),
        Refusal::BlockedWord => "it has a word that is blocked here".into(),
        Refusal::TooLong { max } => format!("it is longer than {max} characters"),
        Refusal::Empty => "there is nothing in it".into(),
        Refusal::BadText => "it has characters that cannot be shown".into(),
        Refusal::BadLink => "links are off, or this is no http or https address".into(),
        Refusal::EmotesOnly => "only emoji are allowed now".into(),
        Refusal::MembersOnly => "only members may speak now".into(),
        Refusal::Off => "this is switched off in the room".into(),
        Refusal::Closed => "this is over".into(),
        Refusal::Unknown => "what it is about is not there".into(),
        Refusal::Again => "you did this before".into(),
        Refusal::NotAllowed => "this takes another role".into(),
        Refusal::Waiting => "it waits for a moderator's approval".into(),
        Refusal::Full { max } => format!("there are {max} already, which is all that fit"),
        Refusal::Malformed { detail } => format!("the room cannot read it: {detail}"),
        _ => "the room says no".into(),
    }
}
