//! A publisher that does what its luck says.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use shared::moqt::{
    DoneCode, EndOfTrack, FetchItem, FetchRequest, GroupId, Item, Location, Namespace, NamespaceEvent,
    NamespaceSubscriptionRequest, Object, ObjectId, Priority, Properties, PublishOffer, Redirect, Request,
    RequestCode, ResetCode, Session, Status, Subgroup, SubgroupEnd, SubgroupId, SubscribeOk,
    SubscribeRequest, TrackName, TrackWriter,
};
use tokio::{
    task::JoinSet,
    time::{sleep, sleep_until, timeout},
};

use super::{
    dice::Dice,
    ledger::{self, STAMP},
    subscriber::told,
    world::{Seat, TRACKS, World},
};

/// Whether somebody else publishes in the namespace too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    Sole,
    /// Tracks are not published one by one then: their viewers would go on with what is in truth another track.
    Shared,
}

/// Publishes until its time is over or its session is.
pub(crate) async fn publisher(
    world: Arc<World>,
    number: u8,
    (namespace, claim): (Namespace, Claim),
    seat: Seat,
    mut dice: Dice,
) {
    let Seat { session, mut requests, link } = seat;
    let mut tasks = JoinSet::new();
    let names = TRACKS.into_iter().take(dice.pick(&[1, 2, 3, 3]) as usize);
    let lines: Vec<Arc<Line>> = names
        .map(|name| {
            Arc::new(Line::new(number, TrackName { namespace: namespace.clone(), name: name.into() }))
        })
        .collect();
    for line in &lines {
        if dice.chance(30) && claim == Claim::Sole {
            tasks.spawn(offer(Arc::clone(&world), session.clone(), Arc::clone(line)));
        }
        tasks.spawn(Arc::clone(line).run(Arc::clone(&world), dice.fork()));
    }
    let announce = world.ask("namespaces published", session.publish_namespace(namespace));
    let leaves = tokio::time::Instant::now() + dice.millis(1_000, 15_000);
    let closed = session.closed();
    tokio::pin!(closed, announce);
    let mut published = None;
    let mut is_announced = false;
    let is_over = loop {
        tokio::select! {
            biased;
            closed = &mut closed => break Some(closed),
            () = sleep_until(leaves) => break None,
            granted = &mut announce, if !is_announced => {
                is_announced = true;
                published = granted;
            }
            request = requests.next() => match request {
                Some(request) => answer(&world, &lines, request, &mut dice, &mut tasks),
                None => break Some(closed.as_mut().await),
            },
        }
    };
    if is_over.is_none() {
        match dice.between(0, 3) {
            0 => {
                drop(published);
                lines.iter().for_each(|line| line.done(DoneCode::TrackEnded));
                let _ = timeout(Duration::from_secs(5), session.drained()).await;
                session.close(shared::moqt::SessionCode::NoError, "over");
            }
            1 => link.cut(dice.millis(0, 3_000), dice.millis(0, 3_000)),
            2 => session.close(shared::moqt::SessionCode::NoError, "crashed"),
            _ => {
                let silence = dice.millis(0, 2_000);
                tasks.shutdown().await;
                drop(published);
                sleep(silence).await;
                session.close(shared::moqt::SessionCode::NoError, "");
            }
        }
    }
    let end = match is_over {
        Some(end) => end,
        None => closed.await,
    };
    world.check_end(end.code, &end.reason);
    tasks.shutdown().await;
}

fn answer(
    world: &Arc<World>,
    lines: &[Arc<Line>],
    request: Request,
    dice: &mut Dice,
    tasks: &mut JoinSet<()>,
) {
    let later = if dice.chance(20) { dice.millis(0, 2_000) } else { Duration::ZERO };
    let (world, mut dice) = (Arc::clone(world), dice.fork());
    world.count("requests asked");
    let find = |name: &TrackName| lines.iter().find(|line| line.name == *name).cloned();
    match request {
        Request::Subscribe(request) => {
            let line = find(request.track());
            tasks.spawn(async move {
                sleep(later).await;
                match line {
                    _ if dice.chance(3) => drop(request),
                    _ if dice.chance(3) => {
                        request.redirect(Redirect::to("moqt://elsewhere"), "not here", None)
                    }
                    Some(line) if !dice.chance(5) => line.accept(request, expiry(&mut dice)),
                    _ => request.reject(RequestCode::DoesNotExist, "no such track"),
                }
            });
        }
        Request::Fetch(request) => {
            let line = find(request.track());
            tasks.spawn(async move {
                sleep(later).await;
                match line {
                    Some(line) if !dice.chance(10) => line.serve(&world, request, dice).await,
                    _ => request.reject(RequestCode::DoesNotExist, "no such track"),
                }
            });
        }
        Request::SubscribeNamespace(request) => {
            tasks.spawn(tell(request, dice));
        }
        Request::TrackStatus(request) => match find(request.track()) {
            Some(line) => {
                request.answer(SubscribeOk { largest: line.lock().largest, ..SubscribeOk::default() })
            }
            None => request.reject(RequestCode::DoesNotExist, "no such track"),
        },
        Request::PublishNamespace(request) => request.reject(RequestCode::Uninterested, "not here"),
        _ => {}
    }
}

/// For how long a subscription is granted: not for ever, now and then.
fn expiry(dice: &mut Dice) -> Option<Duration> {
    dice.chance(10).then(|| dice.millis(500, 4_000))
}

/// Publishes a track (PUBLISH) that has not begun.
async fn offer(world: Arc<World>, session: Session, line: Arc<Line>) {
    let offer = session.publish(line.name.clone(), PublishOffer::default());
    let Some(writer) = world.ask("tracks published", offer).await else { return };
    drop(session);
    let mut state = line.lock();
    // Where it has begun meanwhile, the offer is withdrawn.
    if state.largest.is_none() && state.over.is_none() {
        state.writers.push(writer);
    }
}

/// Tells of namespaces that come and go.
async fn tell(request: NamespaceSubscriptionRequest, mut dice: Dice) {
    let prefix = request.prefix().clone();
    let mut writer = request.accept();
    for _ in 0..dice.between(0, 8) {
        let namespace = prefix.join(&Namespace::new([vec![b'a' + dice.between(0, 2) as u8]]));
        let event = match dice.chance(60) {
            true => NamespaceEvent::Published(namespace),
            false => NamespaceEvent::Withdrawn(namespace),
        };
        if !writer.tell(event) {
            return;
        }
        sleep(dice.millis(0, 300)).await;
    }
    if dice.chance(50) {
        writer.ended().await;
    }
}

/// Where a fetched object is.
fn place(item: &FetchItem) -> Option<Location> {
    match item {
        FetchItem::Object(object) | FetchItem::Datagram(object) => Some(object.location()),
        FetchItem::Gap { .. } => None,
    }
}

/// A track's one course of events, whoever is there to see it.
#[derive(Debug)]
struct Line {
    publisher: u8,
    name: TrackName,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    largest: Option<Location>,
    writers: Vec<TrackWriter>,
    objects: Vec<FetchItem>,
    over: Option<DoneCode>,
}

impl Line {
    fn new(publisher: u8, name: TrackName) -> Self {
        Self { publisher, name, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(&self, request: SubscribeRequest, expires: Option<Duration>) {
        let mut state = self.lock();
        let properties = Properties::default();
        let writer = request.accept(SubscribeOk { largest: state.largest, expires, properties });
        match state.over {
            Some(code) => writer.done(code, "it is over"),
            None => state.writers.push(writer),
        }
    }

    async fn serve(&self, world: &World, request: FetchRequest, mut dice: Dice) {
        let (start, end) = request.range();
        let (objects, largest) = {
            let state = self.lock();
            let is_asked = |at: Location| (start..=end).contains(&at);
            let asked = state.objects.iter().filter(|item| place(item).is_some_and(is_asked));
            let mut objects: Vec<FetchItem> = asked.cloned().collect();
            objects.sort_by_key(place);
            (objects, state.largest)
        };
        let Some(largest) = largest.filter(|largest| *largest >= start) else {
            return request.reject(RequestCode::InvalidRange, "nothing is there");
        };
        let mut writer = request.accept(end.min(largest), EndOfTrack::No, Properties::default());
        let breaks = dice.chance(10);
        for object in objects {
            if breaks && dice.chance(20) || !writer.send(object).await {
                return;
            }
            world.count("objects served");
        }
        writer.finish();
    }

    fn push(&self, world: &World, item: &Item) {
        let mut state = self.lock();
        if state.over.is_some() {
            return;
        }
        world.tell(|| format!("publisher {} {}: {}", self.publisher, self.name, told(item)));
        world.with_ledger(|ledger| ledger.publish(self.publisher, &self.name, item));
        if let Item::Object(object) | Item::Datagram(object) = item {
            state.largest = state.largest.max(Some(object.location()));
        }
        match item {
            Item::Object(object) if !ledger::is_mark(object) => {
                state.objects.push(FetchItem::Object(object.clone()));
            }
            Item::Datagram(object) => state.objects.push(FetchItem::Datagram(object.clone())),
            Item::Object(_) | Item::End { .. } => {}
        }
        state.writers.retain(|writer| writer.push(item.clone()));
    }

    fn done(&self, code: DoneCode) {
        let mut state = self.lock();
        if state.over.is_none() {
            state.over = Some(code);
            state.writers.drain(..).for_each(|writer| writer.done(code, "the end"));
        }
    }

    async fn run(self: Arc<Self>, world: Arc<World>, mut dice: Dice) {
        sleep(dice.millis(0, 2_500)).await;
        let pace = dice.between(0, 200);
        let mut group = dice.between(0, 3);
        let mut ends = Vec::new();
        for _ in 0..dice.between(1, 6) {
            self.group(&world, GroupId(group), pace, &mut ends, &mut dice).await;
            group += dice.pick(&[1, 1, 1, 1, 2, 40]);
        }
        ends.iter().for_each(|end| self.push(&world, end));
        sleep(dice.millis(0, 4_000)).await;
        match dice.between(0, 5) {
            0 => self.lock().writers.clear(),
            1 => self.done(DoneCode::SubscriptionEnded),
            2 => {}
            _ => self.done(DoneCode::TrackEnded),
        }
    }

    async fn group(&self, world: &World, group: GroupId, pace: u64, ends: &mut Vec<Item>, dice: &mut Dice) {
        let is_datagrams = dice.chance(20);
        let subgroups = dice.between(1, 3);
        let priority = dice.next() as u8;
        let last = dice.between(0, 12);
        let mut used = BTreeSet::new();
        for id in 0..=last {
            if id > 0 && id < last && dice.chance(5) {
                continue;
            }
            let id = ObjectId(id);
            let subgroup = SubgroupId(dice.between(0, subgroups - 1) * dice.pick(&[1, 1, 1, 3]));
            let header = Subgroup {
                group,
                id: if is_datagrams { SubgroupId(0) } else { subgroup },
                priority: Priority(priority.wrapping_add(if is_datagrams { 0 } else { subgroup.0 as u8 })),
                ends_group: is_datagrams && id.0 == last,
                from_first: !is_datagrams && !used.contains(&subgroup),
            };
            let at = Location { group, object: id };
            let is_mark = !is_datagrams && id.0 == last && dice.chance(10);
            let bytes = match dice.between(0, 19) {
                0 => 0,
                1 if !is_datagrams => dice.between(2_000, 60_000),
                _ => dice.between(STAMP as u64, 1_000),
            };
            let object = Object {
                subgroup: header,
                id,
                status: if is_mark { Status::EndOfGroup } else { Status::Normal },
                properties: if is_mark { Properties::default() } else { ledger::properties(at) },
                payload: if is_mark {
                    Default::default()
                } else {
                    ledger::payload(self.publisher, at, bytes as usize)
                },
            };
            used.insert(subgroup);
            self.push(world, &if is_datagrams { Item::Datagram(object) } else { Item::Object(object) });
            if dice.chance(60) {
                sleep(dice.millis(0, pace)).await;
            }
            if !ends.is_empty() && dice.chance(50) {
                self.push(world, &ends.remove(0));
            }
        }
        if is_datagrams {
            return;
        }
        for subgroup in used {
            let end = match dice.between(0, 9) {
                0 => SubgroupEnd::Reset(ResetCode::InternalError),
                1 => continue,
                _ => SubgroupEnd::Finished,
            };
            ends.push(Item::End { group, subgroup, end });
        }
        if dice.chance(70) {
            ends.drain(..).for_each(|end| self.push(world, &end));
        }
    }
}
