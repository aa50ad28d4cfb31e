//! The state machine of a room: sans IO, on a clock that is told.

use std::net::IpAddr;

use bytes::Bytes;
use shared::{
    event::SessionId,
    media::Timestamp,
    room::{
        Identity, MessageId, Refusal, Reply, Role, Say, SayId, Saying, Snapshot, Speaker, ViewerId, Wall,
        chat as chats, danmaku as bullets, desk,
        identity::Standing,
        presence::{MAX_NAME_CHARS, Raised},
        questions::{QuestionId, Stage},
        reactions::Tally,
        say::You,
    },
};

use super::{
    Ban, Kept, Publication, Restored, Said, Saved, chat,
    chat::Chat,
    danmaku,
    feed::{Feeds, json},
    limits::{self, Class, Shared},
    moderation::{self, Held, Moderation, Words},
    once::Outcome,
    pace::Pace,
    people::{Full, People},
    polls::Polls,
    presence::Attendance,
    questions::Questions,
    reactions::Reactions,
};

mod acts;

/// Bytes of a viewer's saying.
const MAX_BYTES: usize = 8 << 10;
/// Bytes of a moderator's: all blocked words at once.
const MAX_BYTES_OF_MODERATORS: usize = 256 << 10;
/// Largest number that JavaScript counts to.
const MAX_SAY_ID: u64 = 1 << 53;
/// Answers after which a listener is told again who it is, in a new group.
const ANSWERS: u32 = 256;
/// Milliseconds between two times that the room is written down.
const SAVE_EVERY: u64 = 500;
/// How far ahead of the wall clock a place in the broadcast may be, in microseconds: clocks differ.
const AHEAD: u64 = 60_000_000;

/// What happens to a room.
#[derive(Debug)]
pub enum Input {
    /// A session with a voice came.
    Came {
        /// The session.
        session: SessionId,
        /// Whose it is.
        who: Identity,
        /// Where it comes from.
        address: IpAddr,
    },
    /// A session listens to its answers from here on.
    Listens(SessionId),
    /// A session is gone.
    Left(SessionId),
    /// A session said something: the payload of an object of its track `say`.
    Said(SessionId, Bytes),
    /// So many sessions watch.
    Watching(u32),
    /// Time passed.
    Tick,
}

/// What a room wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// An object of one of its tracks.
    Publish(Publication),
    /// An object of a session's track of answers.
    Answer {
        /// Whose.
        session: SessionId,
        /// JSON.
        payload: Bytes,
        /// Whether it begins a group.
        place: Place,
    },
    /// Something to be written down.
    Keep(Kept),
    /// A session is not let in, or no longer. The room has forgotten it.
    Away {
        /// Which.
        session: SessionId,
        /// Why, for a person.
        reason: &'static str,
    },
    /// Everybody who is banned, after a change: their sessions are to be ended, and they are not let in again.
    Banned(Vec<Ban>),
}

/// Where an answer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// First in a group.
    Begins,
    /// After another one.
    Follows,
}

/// What came of what was said, since the last look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Applied.
    pub accepted: u64,
    /// Refused with a reason.
    pub refused: u64,
    /// Said again, and answered as before.
    pub repeated: u64,
    /// Let go unread because its viewer or address sends far too much.
    pub ignored: u64,
    /// Refused because the whole room is too busy, by what they were: likes, danmaku, chat, questions, others.
    pub busy: [u64; 5],
}

/// A room.
#[derive(Debug)]
pub struct Room {
    people: People,
    moderation: Moderation,
    shared: Shared,
    chat: Chat,
    reactions: Reactions,
    questions: Questions,
    polls: Polls,
    attendance: Attendance,
    feeds: Feeds,
    /// The last number that was given.
    number: u64,
    saving: Pace<SAVE_EVERY>,
    counts: Counts,
}

/// Who says something.
struct By {
    who: Speaker,
    standing: Standing,
}

/// What a saying became: the message, and what it is about.
#[derive(Default)]
struct Done {
    message: Option<MessageId>,
    subject: Option<u64>,
    media: Option<Timestamp>,
    /// What is written down of it, where it is not what was said.
    detail: Option<Bytes>,
}

impl Done {
    fn about(subject: u64) -> Self {
        Self { subject: Some(subject), ..Self::default() }
    }

    fn message(message: MessageId, media: Option<Timestamp>, detail: Bytes) -> Self {
        Self { message: Some(message), subject: Some(message.0), media, detail: Some(detail) }
    }
}

impl Room {
    /// A room that begins, or goes on after a restart.
    pub fn new(now: Wall, restored: Restored) -> Self {
        let Restored { saved, chats, votes, upvotes, answered } = restored;
        let mut people = People::default();
        for (from, say, message) in answered {
            people.recall(now, &from, say, message);
        }
        for (viewer, name) in saved.names {
            people.rename(&viewer, name);
        }
        let moderation = Moderation::restore(saved.mode, saved.blocked_words, saved.muted, saved.banned);
        let questions = Questions::restore(saved.questions, upvotes);
        let mut polls = Polls::restore(saved.polls, votes);
        let (public, hidden) = questions.by_who_sees_them();
        let totals = saved.reactions;
        let state = Snapshot {
            mode: *moderation.mode(),
            notice: saved.notice,
            questions: public,
            polls: polls.shown(),
            products: saved.products,
            pin: saved.pin,
            hands: saved.hands.clone(),
            reactions: Tally { totals: totals.clone(), ..Tally::default() },
            ..Snapshot::default()
        };
        let desk = desk::Snapshot {
            waiting: Vec::new(),
            questions: hidden,
            muted: moderation.muted(now),
            banned: moderation.banned(),
            blocked_words: moderation.blocked_words(),
            acts: saved.acts,
        };
        let mut room = Self {
            people,
            moderation,
            shared: Shared::default(),
            chat: Chat::default(),
            reactions: Reactions::new(totals),
            questions,
            polls,
            attendance: Attendance::new(now, saved.hands),
            feeds: Feeds::new(state, desk),
            // What a crash kept from being written down has numbers below.
            number: saved.number.max(now.0),
            saving: Pace::default(),
            counts: Counts::default(),
        };
        room.feeds.open(now);
        room.chat.restore(now, chats, &mut room.feeds);
        room
    }

    /// Takes in what happened. Everything that comes of it is to be had of [`poll`](Self::poll).
    pub fn handle(&mut self, now: Wall, input: Input) {
        match input {
            Input::Came { session, who, address } => self.came(now, session, who, address),
            Input::Listens(session) => {
                if self.people.session(session).is_some() {
                    self.introduce(now, session);
                }
            }
            Input::Left(session) => {
                self.people.left(now, session);
                self.attendance.moved(now);
            }
            Input::Said(session, bytes) => self.said(now, session, &bytes),
            Input::Watching(watching) => self.attendance.watch(now, watching),
            Input::Tick => {}
        }
        self.flush(now);
    }

    /// What is to be done next.
    pub fn poll(&mut self) -> Option<Output> {
        self.feeds.next()
    }

    /// When [`handle`](Self::handle) is to be called at the latest.
    pub fn deadline(&self) -> Option<Wall> {
        let all = [
            self.reactions.deadline(),
            self.questions.deadline(),
            self.polls.deadline(),
            self.attendance.deadline(),
            self.saving.deadline(),
        ];
        all.into_iter().flatten().min()
    }

    /// Whether nobody with a voice is there.
    pub fn is_empty(&self) -> bool {
        self.people.is_empty()
    }

    /// Viewers with a voice.
    pub fn present(&self) -> u32 {
        self.people.present()
    }

    /// What everybody sees.
    pub fn state(&self) -> &Snapshot {
        self.feeds.state()
    }

    /// What came of what was said since the last call.
    pub fn take_counts(&mut self) -> Counts {
        std::mem::take(&mut self.counts)
    }

    /// The room as a restart is to bring it back.
    pub fn saved(&self) -> Saved {
        let (state, desk) = (self.feeds.state(), self.feeds.desk());
        let mut questions = state.questions.clone();
        questions.extend(desk.questions.iter().cloned());
        questions.sort_by_key(|question| question.question);
        Saved {
            mode: *self.moderation.mode(),
            blocked_words: self.moderation.blocked_words(),
            muted: desk.muted.clone(),
            banned: self.moderation.bans(),
            notice: state.notice.clone(),
            questions,
            polls: self.polls.saved(),
            products: state.products.clone(),
            pin: state.pin,
            hands: state.hands.clone(),
            reactions: state.reactions.totals.clone(),
            acts: desk.acts.clone(),
            names: self.people.renamed(),
            number: self.number,
        }
    }

    fn flush(&mut self, now: Wall) {
        self.reactions.flush(now, &mut self.feeds);
        self.questions.flush(now, &mut self.feeds);
        self.polls.flush(now, &mut self.feeds);
        self.attendance.flush(now, &mut self.people, &mut self.feeds);
        if self.feeds.is_unsaved() {
            self.saving.want(now);
            if self.saving.is_due(now) && self.feeds.take_unsaved() {
                let saved = json(&self.saved());
                self.feeds.keep(Kept::State(saved));
            }
        }
    }

    fn came(&mut self, now: Wall, session: SessionId, who: Identity, address: IpAddr) {
        if self.moderation.is_banned(&who.viewer, who.role, address) {
            return self.feeds.put(Output::Away { session, reason: "banned from this room" });
        }
        match self.people.came(now, session, who, address) {
            Ok(()) => self.attendance.moved(now),
            Err(Full) => self.feeds.put(Output::Away { session, reason: "the room is full: try later" }),
        }
    }

    /// Tells a session who it is here, in a new group of its answers.
    fn introduce(&mut self, now: Wall, id: SessionId) {
        let Some(session) = self.people.session(id) else { return };
        let Some(viewer) = self.people.viewer(&session.viewer) else { return };
        let you = You {
            viewer: session.viewer.clone(),
            name: viewer.name.clone(),
            role: session.role,
            standing: session.standing,
            muted_until: self.moderation.muted_until(now, &session.viewer),
            votes: self.polls.votes_of(&session.viewer),
            upvotes: self.questions.upvotes_of(&session.viewer),
            hand: self.attendance.is_up(&session.viewer),
        };
        if let Some(session) = self.people.session_mut(id) {
            session.answers = Some(0);
        }
        let payload = json(&Reply::You(you));
        self.feeds.put(Output::Answer { session: id, payload, place: Place::Begins });
    }

    /// Tells all sessions of a viewer that listen who it is now.
    fn introduce_all(&mut self, now: Wall, viewer: &ViewerId) {
        for id in self.people.sessions_of(viewer) {
            if self.people.session(id).is_some_and(|session| session.answers.is_some()) {
                self.introduce(now, id);
            }
        }
    }

    fn answer(&mut self, now: Wall, id: SessionId, reply: &Reply) {
        match self.people.session_mut(id).map(|session| session.answers.as_mut()) {
            Some(Some(answers)) if *answers < ANSWERS => *answers += 1,
            Some(Some(_)) => self.introduce(now, id),
            // It does not listen: it says so again until it does.
            Some(None) | None => return,
        }
        let payload = json(reply);
        self.feeds.put(Output::Answer { session: id, payload, place: Place::Follows });
    }

    fn said(&mut self, now: Wall, session: SessionId, bytes: &[u8]) {
        let Some(from) = self.people.session(session) else {
            self.counts.ignored += 1;
            return;
        };
        let (viewer, role, standing, address) = (from.viewer.clone(), from.role, from.standing, from.address);
        let Some(known) = self.people.viewer_mut(&viewer) else { return };
        if !known.limits.is_heard(now, role) || !self.shared.is_heard(now, address) {
            self.counts.ignored += 1;
            return;
        }
        let who = Speaker { viewer, name: known.name.clone(), role };
        let Saying { id, say } = match parse(role, bytes) {
            Ok(saying) => saying,
            Err((id, why)) => {
                self.counts.refused += 1;
                return self.answer(now, session, &Reply::Refused { id, why });
            }
        };
        if let Some(outcome) = known.answered.outcome(id) {
            self.counts.repeated += 1;
            let reply = outcome.reply(id);
            return self.answer(now, session, &reply);
        }
        let by = By { who, standing };
        let class = Class::of(role, &say);
        let kind = kind(&say);
        let outcome = match self.apply(now, &by, class, say) {
            Ok(done) => {
                self.counts.accepted += 1;
                if let Some(detail) = done.detail {
                    let Done { media, subject, .. } = done;
                    let from = by.who.clone();
                    self.feeds.keep(Kept::Said(Said {
                        at: now,
                        media,
                        from,
                        kind,
                        say: Some(id),
                        subject,
                        detail,
                    }));
                }
                done.message.map_or(Outcome::Accepted, Outcome::Message)
            }
            Err(why) => {
                self.counts.refused += 1;
                if matches!(why, Refusal::Busy { .. }) {
                    self.counts.busy[(class as usize).min(4)] += 1;
                }
                Outcome::Refused(Box::new(why))
            }
        };
        let reply = outcome.reply(id);
        self.people.remember(&by.who.viewer, id, outcome);
        self.answer(now, session, &reply);
    }

    fn apply(&mut self, now: Wall, by: &By, class: Class, say: Say) -> Result<Done, Refusal> {
        let role = by.who.role;
        if limits::is_of_moderators(&say) {
            if !role.moderates() {
                return Err(Refusal::NotAllowed);
            }
            self.shared.take(now, class)?;
            let detail = json(&say);
            let done = self.act(now, by, say)?;
            return Ok(Done { detail: done.detail.or(Some(detail)), ..done });
        }
        let features = self.moderation.mode().features;
        let is_on = match &say {
            Say::Chat(_) => features.chat,
            Say::Danmaku(_) => features.danmaku,
            Say::React(_) => features.reactions,
            Say::Ask(_) | Say::Upvote(_) => features.questions,
            Say::Vote(_) => features.polls,
            Say::Hand(hand) => features.hands || hand.hand == Raised::Down,
            _ => true,
        };
        if !is_on {
            return Err(Refusal::Off);
        }
        let viewer = &by.who.viewer;
        match &say {
            Say::Chat(draft) => {
                let text = self.words(now, by, &say, (&draft.text, chats::MAX_CHARS), class)?;
                self.chat(now, by, draft.clone(), text)
            }
            Say::Danmaku(draft) => {
                let text = self.words(now, by, &say, (&draft.text, bullets::MAX_CHARS), class)?;
                self.danmaku(now, by, draft.clone(), text)
            }
            Say::Ask(draft) => {
                let max = shared::room::questions::MAX_CHARS;
                let text = self.words(now, by, &say, (&draft.text, max), class)?;
                self.ask(now, by, text)
            }
            Say::React(taps) => {
                self.afford(now, by, &say, class)?;
                self.reactions.tap(now, *taps)?;
                Ok(Done { detail: Some(json(&say)), ..Done::default() })
            }
            Say::Upvote(vote) => {
                self.afford(now, by, &say, class)?;
                self.questions.upvote(now, vote.question, viewer)?;
                Ok(Done { detail: Some(json(&say)), ..Done::about(vote.question.0) })
            }
            Say::Vote(vote) => {
                self.afford(now, by, &say, class)?;
                self.polls.vote(now, *vote, viewer)?;
                Ok(Done { detail: Some(json(&say)), ..Done::about(vote.poll.0) })
            }
            Say::Hand(hand) => {
                self.afford(now, by, &say, class)?;
                self.attendance.raise(now, (viewer, &by.who.name), hand.hand)?;
                Ok(Done { detail: Some(json(&say)), ..Done::default() })
            }
            Say::Rename(new) => {
                if let Some(until) = self.moderation.muted_until(now, viewer) {
                    let seconds =
                        std::time::Duration::from_millis(until.0.saturating_sub(now.0)).as_secs_f64();
                    return Err(Refusal::Muted { seconds });
                }
                let name = self.moderation.check_name(role, &new.name, MAX_NAME_CHARS)?;
                self.afford(now, by, &say, class)?;
                self.people.rename(viewer, name);
                self.feeds.touch();
                self.introduce_all(now, viewer);
                Ok(Done { detail: Some(json(&say)), ..Done::default() })
            }
            _ => Err(Refusal::NotAllowed),
        }
    }

    /// Takes a saying off its viewer's allowance and the room's.
    fn afford(&mut self, now: Wall, by: &By, say: &Say, class: Class) -> Result<(), Refusal> {
        if let Some(viewer) = self.people.viewer_mut(&by.who.viewer) {
            viewer.limits.take(now, by.who.role, say)?;
        }
        self.shared.take(now, class)
    }

    /// The text as it is shown, if it may be said here now, and within the allowances.
    fn words(
        &mut self,
        now: Wall,
        by: &By,
        say: &Say,
        (text, max): (&str, usize),
        class: Class,
    ) -> Result<String, Refusal> {
        let viewer = &by.who.viewer;
        let is_slow = !matches!(say, Say::Ask(_));
        let spoke_at = self.people.viewer(viewer).and_then(|viewer| viewer.spoke_at);
        let words = Words { text, max, slow: is_slow.then_some(spoke_at) };
        let text = self.moderation.check(now, (viewer, by.who.role, by.standing), words)?;
        self.afford(now, by, say, class)?;
        if is_slow && let Some(viewer) = self.people.viewer_mut(viewer) {
            viewer.spoke_at = Some(now);
        }
        Ok(text)
    }

    fn chat(&mut self, now: Wall, by: &By, draft: chats::Draft, text: String) -> Result<Done, Refusal> {
        let quoted = draft.reply_to.map(|message| self.chat.quote(message)).transpose()?;
        if self.moderation.holds(by.who.role) {
            return self.hold(now, by, text, Held::Chat(draft));
        }
        let (message, media) = (self.next(), plausible(now, draft.media));
        let message = chat::message(now, MessageId(message), by.who.clone(), (text, quoted, media));
        let id = message.message;
        let detail = self.chat.show(now, message, &mut self.feeds);
        Ok(Done::message(id, media, detail))
    }

    fn danmaku(&mut self, now: Wall, by: &By, draft: bullets::Draft, text: String) -> Result<Done, Refusal> {
        if self.moderation.holds(by.who.role) {
            return self.hold(now, by, text, Held::Danmaku(draft));
        }
        let (message, media) = (MessageId(self.next()), plausible(now, draft.media));
        let bullet = (&draft, text, media);
        let detail = danmaku::show(now, message, by.who.clone(), bullet, &mut self.feeds);
        Ok(Done::message(message, media, detail))
    }

    fn hold(&mut self, now: Wall, by: &By, text: String, held: Held) -> Result<Done, Refusal> {
        let message = MessageId(self.next());
        let waiting = moderation::waiting(now, message, by.who.clone(), text);
        self.moderation.hold(waiting.clone(), held)?;
        self.feeds.tell_desk(now, desk::Delta::Waiting(waiting));
        Err(Refusal::Waiting)
    }

    fn ask(&mut self, now: Wall, by: &By, text: String) -> Result<Done, Refusal> {
        let question = QuestionId(self.next());
        let is_held = self.moderation.holds_questions(by.who.role);
        let stage = if is_held { Stage::Asked } else { Stage::Approved };
        let detail = json(&shared::room::questions::Draft { text: text.clone() });
        self.questions.ask(now, question, (by.who.clone(), text, stage), &mut self.feeds)?;
        if is_held {
            return Err(Refusal::Waiting);
        }
        Ok(Done { detail: Some(detail), ..Done::about(question.0) })
    }

    /// A number that no message, question, poll or product had before, also over a restart.
    fn next(&mut self) -> u64 {
        self.number += 1;
        self.number
    }
}

/// What was said; otherwise why it cannot be read, with its number where that can.
fn parse(role: Role, bytes: &[u8]) -> Result<Saying, (Option<SayId>, Refusal)> {
    let max = if role.moderates() { MAX_BYTES_OF_MODERATORS } else { MAX_BYTES };
    if bytes.len() > max {
        let detail = format!("it is longer than {max} bytes");
        return Err((None, Refusal::Malformed { detail }));
    }
    match serde_json::from_slice::<Saying>(bytes) {
        Ok(saying) if saying.id.0 > MAX_SAY_ID => {
            let detail = "its id is larger than 2^53".to_owned();
            Err((None, Refusal::Malformed { detail }))
        }
        Ok(saying) => Ok(saying),
        Err(error) => {
            #[derive(serde::Deserialize)]
            struct Numbered {
                id: SayId,
            }
            let id = serde_json::from_slice::<Numbered>(bytes).ok().map(|numbered| numbered.id);
            let detail = error.to_string().chars().take(200).collect();
            Err((id.filter(|id| id.0 <= MAX_SAY_ID), Refusal::Malformed { detail }))
        }
    }
}

/// A place in the broadcast, unless it is in a future that no clock explains.
fn plausible(now: Wall, media: Option<Timestamp>) -> Option<Timestamp> {
    media.filter(|media| media.0 <= now.0.saturating_mul(1_000).saturating_add(AHEAD))
}

/// The `kind` of a saying.
fn kind(say: &Say) -> &'static str {
    match say {
        Say::Chat(_) => "chat",
        Say::Danmaku(_) => "danmaku",
        Say::React(_) => "react",
        Say::Ask(_) => "ask",
        Say::Upvote(_) => "upvote",
        Say::Vote(_) => "vote",
        Say::Hand(_) => "hand",
        Say::Rename(_) => "rename",
        Say::Delete(_) => "delete",
        Say::Mute(_) => "mute",
        Say::Ban(_) => "ban",
        Say::Unban(_) => "unban",
        Say::Mode(_) => "mode",
        Say::Approve(_) => "approve",
        Say::Question(_) => "question",
        Say::Poll(_) => "poll",
        Say::Product(_) => "product",
        Say::Notice(_) => "notice",
        Say::LowerHands(_) => "lowerHands",
    }
}
