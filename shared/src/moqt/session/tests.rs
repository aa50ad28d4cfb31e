//! Two cores and a clock that only the test moves: what one sends, the other gets.

use std::{collections::BTreeSet, time::Duration};

use super::*;
use crate::moqt::{
    Role,
    wire::{self, Setup, TrackAlias},
};

mod fetch;
mod going;
mod ids;
mod limits;
mod namespaces;
mod publish;
mod random;
mod requests;
mod reserved;
mod setup;
mod status;
mod subscribe;
mod tokens;
mod tracks;
mod updates;

/// Two sessions that are set up.
struct Pair {
    now: Instant,
    client: Core,
    server: Core,
    /// Request streams that the other side knows of.
    opened: BTreeSet<Stream>,
}

/// What the two sides tell their applications and drivers.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    client: Vec<Output>,
    server: Vec<Output>,
}

impl Pair {
    fn new() -> Self {
        let now = Instant::now();
        let core = |role| Core::new(now, &Config::new(role), false);
        let (client, server) = (core(Role::Client), core(Role::Server));
        let mut pair = Self { now, client, server, opened: BTreeSet::new() };
        let ready = || vec![Output::Ready(None)];
        assert_eq!(pair.run(), Seen { client: ready(), server: ready() });
        pair
    }

    /// Carries bytes to and fro until nothing is left to do.
    fn run(&mut self) -> Seen {
        let mut seen = Seen::default();
        while !(self.client.outputs.is_empty() && self.server.outputs.is_empty()) {
            seen.client.extend(carry(&mut self.client, &mut self.server, self.now, &mut self.opened));
            seen.server.extend(carry(&mut self.server, &mut self.client, self.now, &mut self.opened));
        }
        seen
    }

    /// The client subscribes on `stream`; the server grants it.
    fn subscribe(&mut self, stream: Stream, name: &'static str, ok: &SubscribeOk) -> TrackAlias {
        let options = SubscribeOptions::default();
        self.client.subscribe(stream, track(name), &options).expect("asked");
        assert_eq!(self.run().server, [Output::Asked(stream, Asked::Subscribe(track(name), options))]);
        let alias = self.server.grant_subscribe(stream, ok).expect("granted");
        assert_eq!(self.run().client, [Output::Tell(stream, Event::Subscribed(ok.clone()))]);
        alias
    }

    /// Moves the clock and lets both sides look at it.
    fn pass(&mut self, time: Duration) -> Seen {
        self.now += time;
        self.client.handle(self.now, Input::Tick);
        self.server.handle(self.now, Input::Tick);
        self.run()
    }
}

/// Carries what `from` has to `to`, and gives what is for the application.
fn carry(from: &mut Core, to: &mut Core, now: Instant, opened: &mut BTreeSet<Stream>) -> Vec<Output> {
    let mut seen = Vec::new();
    while let Some(output) = from.poll() {
        match output {
            Output::Control(bytes) => to.handle(now, Input::Control(bytes)),
            Output::Send(stream, bytes) => {
                if opened.insert(stream) {
                    to.handle(now, Input::Opened(stream));
                }
                to.handle(now, Input::Bytes(stream, bytes));
            }
            Output::Retire(stream) => to.handle(now, Input::Finished(stream)),
            Output::Abandon(stream, code) => to.handle(now, Input::Cancelled(stream, code.0)),
            other => seen.push(other),
        }
    }
    seen
}

/// A core against a peer of which the test writes every byte.
struct Lone {
    now: Instant,
    core: Core,
}

impl Lone {
    /// Set up.
    fn new(role: Role) -> Self {
        let now = Instant::now();
        let mut lone = Self { now, core: Core::new(now, &Config::new(role), false) };
        lone.control(&Message::Setup(Setup::default()));
        assert!(lone.outputs().contains(&Output::Ready(None)));
        lone
    }

    fn control(&mut self, message: &Message) {
        self.core.handle(self.now, Input::Control(raw(message)));
    }

    /// The peer opens a request stream with this.
    fn open(&mut self, stream: Stream, message: &Message) {
        self.core.handle(self.now, Input::Opened(stream));
        self.say(stream, message);
    }

    /// The peer says this on a request stream.
    fn say(&mut self, stream: Stream, message: &Message) {
        self.core.handle(self.now, Input::Bytes(stream, raw(message)));
    }

    fn outputs(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.core.poll()).collect()
    }

    /// What was sent on a request stream, then whether it was finished.
    fn said(&mut self, stream: Stream) -> (Vec<Message>, bool) {
        let mut bytes = BytesMut::new();
        let mut is_finished = false;
        for output in self.outputs() {
            match output {
                Output::Send(to, chunk) if to == stream => bytes.extend_from_slice(&chunk),
                Output::Retire(of) if of == stream => is_finished = true,
                _ => {}
            }
        }
        let messages = std::iter::from_fn(|| Message::decode(&mut bytes).expect("valid")).collect();
        (messages, is_finished)
    }

    /// With which code the session was closed, if it was.
    fn closed(&mut self) -> Option<SessionCode> {
        self.outputs().into_iter().find_map(|output| match output {
            Output::Close(error) => Some(error.code),
            _ => None,
        })
    }
}

fn raw(message: &Message) -> Bytes {
    encode(message).expect("valid")
}

fn track(name: &'static str) -> TrackName {
    TrackName { namespace: namespace(&["room", "demo"]), name: name.into() }
}

fn namespace(fields: &[&'static str]) -> Namespace {
    Namespace::new(fields.iter().copied())
}

fn at(group: u64, object: u64) -> Option<Location> {
    Some(Location::new(group, object))
}

fn granted(largest: Option<Location>) -> SubscribeOk {
    SubscribeOk { largest, ..SubscribeOk::default() }
}

fn refused(code: RequestCode, reason: &str) -> Refused {
    Refused::Error { code, reason: reason.into(), retry_after: None }
}

/// The code with which a request was refused; the words may be anything.
fn refusal(outputs: &[Output], of: Stream) -> Option<RequestCode> {
    outputs.iter().find_map(|output| match output {
        Output::Tell(stream, Event::Refused(Refused::Error { code, .. })) if *stream == of => Some(*code),
        _ => None,
    })
}
