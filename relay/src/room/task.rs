//! Drives one room: a task that owns it, its tracks and the answers of all who speak there.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Weak},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use shared::{
    event::SessionId,
    moqt::{
        DoneCode, GroupId, Item, Object, ObjectId, Priority, Properties, Status, Subgroup, SubgroupEnd,
        SubgroupId, SubscribeRequest, TrackWriter,
    },
    naming::{self, Feed},
    room::{Identity, Wall},
};
use tokio::{sync::mpsc, time::MissedTickBehavior};

use super::{Input, Output, Place, Publication, Room, rooms::Rooms};
use crate::{
    clock::{self, until},
    media::{Command, Context, Held, Local},
    metrics::Counted,
    tasks::Tasks,
};

/// How often viewers are counted and those who left are noticed at the latest.
const TICK: Duration = Duration::from_secs(1);
/// What was said that is taken in before the room's own deadlines are looked at again.
const TURN: usize = 64;

/// What a room's task is asked. Sayings come by a channel of their own: only they are dropped when it is full.
#[derive(Debug)]
pub(super) enum Asked {
    /// A session with a voice came; it is there for as long as the other end of `alive` is.
    Came { session: SessionId, who: Identity, address: IpAddr, alive: Weak<()> },
    /// It listens to its answers.
    Listens(SessionId, SubscribeRequest),
    /// It is gone.
    Left(SessionId),
    /// Somebody wants a track of the room.
    Track(Feed, Box<Command>),
    /// End, with this for all who are there.
    End(DoneCode, &'static str),
}

/// What somebody said, as it came.
pub(super) type Uttered = (SessionId, Bytes);

/// The wall clock, which does not jump while the room is there.
#[derive(Debug, Clone, Copy)]
struct Clock {
    wall: u64,
    since: Instant,
}

impl Clock {
    fn start() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { wall: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX), since: clock::now() }
    }

    fn now(&self) -> Wall {
        let elapsed = u64::try_from(clock::now().duration_since(self.since).as_millis()).unwrap_or(u64::MAX);
        Wall(self.wall.saturating_add(elapsed))
    }

    /// When the wall clock is there. A millisecond later, so that it is.
    fn at(&self, wall: Wall) -> Instant {
        self.since + Duration::from_millis(wall.0.saturating_sub(self.wall).saturating_add(1))
    }
}

/// The task's state.
pub(super) struct Task {
    name: naming::Room,
    rooms: Weak<Rooms>,
    asked: mpsc::Receiver<Asked>,
    uttered: mpsc::Receiver<Uttered>,
    clock: Clock,
    tracks: [(Local, Option<GroupId>); Feed::ALL.len()],
    voices: HashMap<SessionId, Voice>,
    _open: Counted,
}

/// A session with a voice.
struct Voice {
    alive: Weak<()>,
    answers: Option<Answers>,
    _open: Counted,
}

/// Where a session's answers go.
struct Answers {
    writer: TrackWriter,
    group: Option<GroupId>,
    next: u64,
}

impl Task {
    pub(super) fn new(
        name: naming::Room,
        rooms: &Arc<Rooms>,
        asked: mpsc::Receiver<Asked>,
        uttered: mpsc::Receiver<Uttered>,
    ) -> Self {
        let (context, tasks) = (rooms.context(), rooms.tasks());
        let tracks = Feed::ALL.map(|feed| (track(&name, feed, context, tasks), None));
        Self {
            name,
            rooms: Arc::downgrade(rooms),
            asked,
            uttered,
            clock: Clock::start(),
            tracks,
            voices: HashMap::new(),
            _open: Counted::new(&context.metrics, |metrics| &metrics.rooms),
        }
    }

    /// Runs until nobody is there any more, or it is told to end.
    pub(super) async fn run(mut self) {
        let Some(keeper) = self.rooms.upgrade().map(|rooms| rooms.keeper().clone()) else { return };
        let restored = keeper.restore(self.name.clone()).await;
        let mut room = Room::new(self.clock.now(), restored);
        self.settle(&mut room);
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_lonely = false;
        loop {
            let deadline = room.deadline().map(|deadline| self.clock.at(deadline));
            tokio::select! {
                biased;
                _ = ticks.tick() => {
                    let was_lonely = std::mem::replace(&mut is_lonely, self.tick(&mut room));
                    if was_lonely && is_lonely {
                        keeper.settle().await;
                        if self.rooms.upgrade().is_none_or(|rooms| rooms.close(&self.name, &self.asked)) {
                            return;
                        }
                    }
                }
                () = until(deadline) => room.handle(self.clock.now(), Input::Tick),
                asked = self.asked.recv() => match asked {
                    Some(Asked::End(code, reason)) => {
                        self.end(code, reason);
                        keeper.settle().await;
                        return;
                    }
                    Some(asked) => self.asked(&mut room, asked),
                    None => return,
                },
                Some((session, bytes)) = self.uttered.recv() => {
                    room.handle(self.clock.now(), Input::Said(session, bytes));
                    for _ in 1..TURN {
                        let Ok((session, bytes)) = self.uttered.try_recv() else { break };
                        room.handle(self.clock.now(), Input::Said(session, bytes));
                    }
                }
            }
            self.settle(&mut room);
        }
    }

    /// Looks after what nobody tells of; whether nobody is there.
    fn tick(&mut self, room: &mut Room) -> bool {
        let Some(rooms) = self.rooms.upgrade() else { return true };
        let now = self.clock.now();
        let gone = self.voices.iter().filter(|(_, voice)| voice.alive.strong_count() == 0);
        let gone: Vec<SessionId> = gone.map(|(session, _)| *session).collect();
        for session in gone {
            self.voices.remove(&session);
            room.handle(now, Input::Left(session));
        }
        self.tracks.iter_mut().for_each(|(track, _)| track.tick());
        let watching = rooms.registry().map_or(0, |registry| registry.viewers(&self.name));
        room.handle(now, Input::Watching(u32::try_from(watching).unwrap_or(u32::MAX)));
        let counts = room.take_counts();
        let metrics = &rooms.context().metrics;
        metrics.sayings_accepted.add(counts.accepted);
        metrics.sayings_refused.add(counts.refused);
        metrics.sayings_repeated.add(counts.repeated);
        metrics.sayings_ignored.add(counts.ignored);
        let busy = [
            &metrics.busy_likes,
            &metrics.busy_danmaku,
            &metrics.busy_chat,
            &metrics.busy_questions,
            &metrics.busy_others,
        ];
        busy.iter().zip(counts.busy).for_each(|(counter, number)| counter.add(number));
        let is_on_air = rooms.registry().is_some_and(|registry| registry.is_on_air(&self.name));
        room.is_empty()
            && room.deadline().is_none()
            && !is_on_air
            && !self.tracks.iter().any(|(track, _)| track.is_watched())
    }

    fn asked(&mut self, room: &mut Room, asked: Asked) {
        let now = self.clock.now();
        match asked {
            Asked::Came { session, who, address, alive } => {
                if let Some(rooms) = self.rooms.upgrade() {
                    let open = Counted::new(&rooms.context().metrics, |metrics| &metrics.voices);
                    self.voices.insert(session, Voice { alive, answers: None, _open: open });
                }
                room.handle(now, Input::Came { session, who, address });
            }
            Asked::Listens(session, request) => match self.voices.get_mut(&session) {
                Some(voice) => {
                    let writer = request.accept(shared::moqt::SubscribeOk::default());
                    voice.answers = Some(Answers { writer, group: None, next: 0 });
                    room.handle(now, Input::Listens(session));
                }
                None => request.reject(shared::moqt::RequestCode::Unauthorized, "you have no voice here"),
            },
            Asked::Left(session) => {
                self.voices.remove(&session);
                room.handle(now, Input::Left(session));
            }
            Asked::Track(feed, command) => self.tracks[feed as usize].0.command(*command),
            // Taken before.
            Asked::End(..) => {}
        }
    }

    /// Does all that the room wants done.
    fn settle(&mut self, room: &mut Room) {
        while let Some(output) = room.poll() {
            match output {
                Output::Publish(publication) => self.publish(publication),
                Output::Answer { session, payload, place } => {
                    let now = self.clock.now();
                    let voice = self.voices.get_mut(&session);
                    if let Some(answers) = voice.and_then(|voice| voice.answers.as_mut()) {
                        answers.push(now, payload, place);
                    }
                }
                Output::Keep(kept) => {
                    if let Some(rooms) = self.rooms.upgrade() {
                        rooms.keeper().keep(&self.name, kept);
                    }
                }
                Output::Away { session, reason } => {
                    if let Some(answers) = self.voices.remove(&session).and_then(|voice| voice.answers) {
                        answers.writer.done(DoneCode::Unauthorized, reason);
                    }
                }
                Output::Banned(bans) => {
                    if let Some(rooms) = self.rooms.upgrade() {
                        rooms.ban(&self.name, bans);
                    }
                }
            }
        }
    }

    fn publish(&mut self, publication: Publication) {
        let Publication { feed, group, object, payload } = publication;
        let (track, current) = &mut self.tracks[feed as usize];
        let (group, is_datagram) = (GroupId(group), is_datagram(feed));
        if let Some(before) = current.replace(group).filter(|before| *before != group && !is_datagram) {
            track.push(&end(before));
        }
        let object = self::object(group, object, priority(feed), payload);
        track.push(&if is_datagram { datagram(object) } else { Item::Object(object) });
    }

    fn end(&mut self, code: DoneCode, reason: &'static str) {
        for (track, group) in &mut self.tracks {
            if let Some(group) = group.take() {
                track.push(&end(group));
            }
            track.command(Command::End(code, reason));
        }
        for voice in std::mem::take(&mut self.voices).into_values() {
            if let Some(answers) = voice.answers {
                answers.writer.done(code, reason);
            }
        }
    }
}

impl Answers {
    fn push(&mut self, now: Wall, payload: Bytes, place: Place) {
        let group = match (self.group, place) {
            (Some(group), Place::Follows) => group,
            (before, Place::Begins | Place::Follows) => {
                if let Some(before) = before {
                    self.writer.push(end(before));
                }
                self.next = 0;
                let after = before.map_or(0, |before| before.0.saturating_add(1));
                GroupId(now.0.max(after))
            }
        };
        self.group = Some(group);
        // Whoever left is noticed otherwise.
        self.writer.push(Item::Object(object(group, self.next, ANSWERS, payload)));
        self.next += 1;
    }
}

/// Urgency of answers: whoever speaks waits for them.
const ANSWERS: Priority = Priority(20);

/// Urgency of a track: room state before sound, danmaku between the layers of the picture.
fn priority(feed: Feed) -> Priority {
    Priority(match feed {
        Feed::State | Feed::Desk => 24,
        Feed::Chat => 72,
        Feed::Danmaku => 80,
        Feed::Reactions => 84,
    })
}

fn is_datagram(feed: Feed) -> bool {
    match feed {
        Feed::State | Feed::Desk | Feed::Chat => false,
        Feed::Danmaku | Feed::Reactions => true,
    }
}

/// What of each track is there for late joiners and for those who missed something.
fn track(room: &naming::Room, feed: Feed, context: &Context, tasks: &Tasks) -> Local {
    let (groups, age, bytes) = match feed {
        // History is kept whatever its age.
        Feed::Chat => (5, Duration::MAX, 4 << 20),
        Feed::State | Feed::Desk => (1, Duration::MAX, 4 << 20),
        Feed::Danmaku => (100, Duration::from_secs(4), 1 << 20),
        Feed::Reactions => (2, Duration::from_secs(4), 1 << 18),
    };
    Local::new(&room.on_feed(feed), Held { groups, age, bytes }, context, tasks.clone())
}

fn object(group: GroupId, id: u64, priority: Priority, payload: Bytes) -> Object {
    Object {
        subgroup: Subgroup { group, id: SubgroupId(0), priority, ends_group: true, from_first: true },
        id: ObjectId(id),
        status: Status::Normal,
        properties: Properties::default(),
        payload,
    }
}

fn datagram(object: Object) -> Item {
    let subgroup = Subgroup { ends_group: false, from_first: false, ..object.subgroup };
    Item::Datagram(Object { subgroup, ..object })
}

fn end(group: GroupId) -> Item {
    Item::End { group, subgroup: SubgroupId(0), end: SubgroupEnd::Finished }
}
