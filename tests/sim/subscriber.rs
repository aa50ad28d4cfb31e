//! A subscriber that does what its luck says, and checks all that it gets.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use shared::moqt::{
    AuthToken, Changes, Fetch, FetchItem, FetchRange, Filter, GroupId, GroupOrder, Item, Location, Namespace,
    NamespaceEvent, NamespaceSubscription, Priority, Received, Request, RequestCode, Requests, Session,
    SessionCode, SubscribeOptions, Subscription, TokenType, TrackName, TracksOptions,
};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    dice::Dice,
    ledger::Receipt,
    world::{Net, PATIENCE, Seat, World},
};

/// Comes, asks, reads and leaves; with a network it may come again.
pub(crate) async fn subscriber(world: Arc<World>, net: Option<Net>, seat: Option<Seat>, mut dice: Dice) {
    let mut seat = seat;
    for _ in 0..dice.between(1, 2) {
        sleep(dice.millis(100, 1_500)).await;
        let now = match (seat.take(), &net) {
            (Some(seat), _) => Some(seat),
            (None, Some(net)) => net.connect(&world, &mut dice).await,
            (None, None) => None,
        };
        let Some(now) = now else { continue };
        visit(&world, now, dice.fork()).await;
    }
}

async fn visit(world: &Arc<World>, seat: Seat, mut dice: Dice) {
    let Seat { session, requests, link } = seat;
    let mut tasks = JoinSet::new();
    let offers = tasks.spawn(take(Arc::clone(world), requests, dice.fork()));
    for _ in 0..dice.between(2, 10) {
        act(world, &session, &mut dice, &mut tasks);
        if dice.chance(70) {
            sleep(dice.millis(0, 1_500)).await;
        }
    }
    // Offers may come until the session is over.
    let all = async { while tasks.len() > 1 && tasks.join_next().await.is_some() {} };
    let _ = timeout(dice.millis(0, 10_000), all).await;
    match dice.between(0, 4) {
        0 => session.close(SessionCode::NoError, "enough"),
        1 => link.cut(dice.millis(0, 3_000), dice.millis(0, 3_000)),
        2 => {
            world.count("farewells");
            session.goaway("", dice.millis(1, 3_000));
            sleep(dice.millis(0, 3_000)).await;
        }
        _ => {}
    }
    let is_dropped = dice.chance(50);
    if !is_dropped {
        session.close(SessionCode::NoError, "");
    }
    // A session that is dropped cannot be asked any more.
    let patience = if is_dropped { Duration::ZERO } else { PATIENCE };
    match timeout(patience, session.closed()).await {
        Ok(end) => world.check_end(end.code, &end.reason),
        Err(_) if is_dropped => {}
        Err(_) => world.wrong("a session does not end"),
    }
    drop(session);
    offers.abort();
    let all = async { while tasks.join_next().await.is_some() {} };
    if timeout(PATIENCE, all).await.is_err() {
        world.wrong("a reader waits for more after the end of its session");
    }
}

/// Asks for something, in a task of its own.
fn act(world: &Arc<World>, session: &Session, dice: &mut Dice, tasks: &mut JoinSet<()>) {
    let (world, mut session, mut dice) = (Arc::clone(world), session.clone(), dice.fork());
    if dice.chance(15) {
        // The same few again and again: they are registered once and named by their aliases.
        let token =
            |dice: &mut Dice| AuthToken { kind: TokenType(7), value: vec![dice.next() as u8 % 3; 40].into() };
        world.count("tokens");
        session = session.with_tokens([token(&mut dice)]);
    }
    let name = world.names[dice.between(0, world.names.len() as u64 - 1) as usize].clone();
    let hasty = dice.chance(8).then(|| dice.millis(0, 150));
    tasks.spawn(async move {
        let work = async {
            match dice.between(0, 11) {
                0 => fetch(&world, session, name, dice).await,
                1 => learn(&world, session, dice).await,
                10 => status(&world, session, name, dice).await,
                11 => collect(&world, session, dice).await,
                2 | 3 => join(&world, session, name, dice).await,
                _ => watch(&world, session, name, dice).await,
            }
        };
        match hasty {
            // What is dropped in the middle is cancelled.
            Some(time) => drop(timeout(time, work).await),
            None => work.await,
        }
    });
}

fn options(dice: &mut Dice) -> SubscribeOptions {
    let at = Location::new(dice.between(0, 5), dice.between(0, 4));
    let timeout = |dice: &mut Dice| dice.chance(10).then(|| dice.millis(50, 2_000));
    SubscribeOptions {
        priority: Priority(dice.next() as u8),
        order: dice.pick(&[None, None, Some(GroupOrder::Ascending), Some(GroupOrder::Descending)]),
        filter: match dice.between(0, 9) {
            0 => Filter::AbsoluteStart(at),
            1 => Filter::AbsoluteRange(at, GroupId(at.group.0 + dice.between(0, 3))),
            2 => Filter::NextGroupStart,
            3 | 4 => Filter::LargestObject,
            _ => Filter::Unfiltered,
        },
        forward: !dice.chance(5),
        object_timeout: timeout(dice),
        subgroup_timeout: timeout(dice),
        new_group: dice.chance(10).then_some(GroupId(u64::MAX)),
        rendezvous_timeout: dice.chance(30).then(|| dice.millis(100, 4_000)),
    }
}

async fn watch(world: &World, session: Session, name: TrackName, mut dice: Dice) {
    let options = options(&mut dice);
    let asked = world.ask("subscriptions", session.subscribe(name.clone(), options)).await;
    drop(session);
    if let Some(subscription) = asked {
        let mut receipt = Receipt::new(name, options.filter, subscription.ok().largest);
        read(world, subscription, &mut receipt, &mut dice).await;
    }
}

/// The joining fetch and the subscription together give each object once.
async fn join(world: &World, session: Session, name: TrackName, mut dice: Dice) {
    let options = SubscribeOptions { filter: Filter::LargestObject, forward: true, ..options(&mut dice) };
    let back = dice.between(0, 2);
    let range = match dice.chance(70) {
        true => FetchRange::Relative { groups: back },
        false => FetchRange::Absolute { group: GroupId(back) },
    };
    let asked = world.ask("joined", session.join(name.clone(), options, range.clone())).await;
    drop(session);
    let Some((subscription, fetched)) = asked else { return };
    let largest = subscription.ok().largest;
    let mut live = Receipt::new(name.clone(), options.filter, largest);
    let fetch = world.ask("joining fetches", async { fetched }).await;
    let past = async {
        let (fetch, largest) = (fetch?, largest?);
        let group = match range {
            FetchRange::Absolute { group } => group,
            _ => GroupId(largest.group.0.saturating_sub(back)),
        };
        let mut past = Receipt::of_range(name, Location::new(group.0, 0), largest);
        read_fetch(world, fetch, &mut past).await;
        Some(past)
    };
    let mut own = dice.fork();
    let (past, ()) = tokio::join!(biased; past, read(world, subscription, &mut live, &mut own));
    if let Some(past) = past
        && let Some(at) = past.seen().find(|at| live.has(**at))
    {
        world.wrong(&format!("{at} came by a joining fetch and by its subscription"));
    }
}

async fn read(world: &World, mut subscription: Subscription, receipt: &mut Receipt, dice: &mut Dice) {
    let who = dice.next() as u16;
    world.tell(|| format!("{who:04x} granted: {receipt:?}"));
    let leaves_after = if dice.chance(25) { dice.between(0, 40) } else { u64::MAX };
    let is_slow = dice.chance(15);
    for _ in 0..leaves_after {
        if is_slow && dice.chance(10) {
            sleep(dice.millis(0, 1_000)).await;
        }
        let Some(received) = subscription.recv().await else { return world.count("streams cut off") };
        let item = match received {
            Received::Item(item) => item,
            Received::Done { code, .. } => {
                world.note("done", code.0);
                if subscription.recv().await.is_some() {
                    world.wrong("something came after PUBLISH_DONE");
                }
                return;
            }
        };
        world.tell(|| format!("{who:04x} {}", told(&item)));
        let (what, which) = match &item {
            Item::Object(object) => ("objects", object.location()),
            Item::Datagram(object) => ("datagrams", object.location()),
            Item::End { group, subgroup, .. } => ("ends", Location::new(group.0, subgroup.0)),
        };
        world.note(what, which.group.0 << 32 | which.object.0);
        world.check(world.with_ledger(|ledger| receipt.item(ledger, &item)));
        if dice.chance(4) {
            change(world, &subscription, which.group, dice).await;
        }
    }
    world.count("subscriptions cancelled");
}

/// An item in few words.
pub(crate) fn told(item: &Item) -> String {
    match item {
        Item::Object(object) => {
            let subgroup = object.subgroup;
            let first = if subgroup.from_first { " from the first on" } else { "" };
            format!("object {} of subgroup {}{first}", object.location(), subgroup.id)
        }
        Item::Datagram(object) => format!("datagram {}", object.location()),
        Item::End { group, subgroup, end } => format!("end of group {group} subgroup {subgroup}: {end:?}"),
    }
}

async fn change(world: &World, subscription: &Subscription, group: GroupId, dice: &mut Dice) {
    let change = dice.between(0, 4);
    world.note("changes", change);
    match change {
        0 => {
            subscription.set_forward(false);
            sleep(dice.millis(0, 1_000)).await;
            subscription.set_forward(true);
        }
        1 => subscription.set_priority(Priority(dice.next() as u8)),
        2 => subscription.stop(group),
        3 => {
            let priority = Some(Priority(dice.next() as u8));
            let object_timeout = dice.chance(30).then(|| dice.millis(100, 3_000));
            let changes = Changes { priority, object_timeout, ..Changes::default() };
            world.ask("updates", subscription.change(changes)).await;
        }
        _ => subscription.request_new_group(group),
    }
}

/// Wants all tracks below a prefix: each comes as an offer.
async fn collect(world: &World, session: Session, mut dice: Dice) {
    let prefix = Namespace::new([dice.pick(&["sim", "room"])]);
    let asked = session.subscribe_tracks(prefix, TracksOptions::default());
    let asked = world.ask("tracks subscriptions", asked).await;
    drop(session);
    let Some(mut subscription) = asked else { return };
    let read = async {
        while subscription.blocked().await.is_some() {
            world.count("tracks blocked");
        }
    };
    if dice.chance(50) {
        let _ = timeout(dice.millis(0, 5_000), read).await;
    } else {
        read.await;
    }
}

/// Takes what is published to this side, most of it.
async fn take(world: Arc<World>, mut requests: Requests, mut dice: Dice) {
    let mut readers = JoinSet::new();
    while let Some(request) = requests.next().await {
        let Request::Publish(request) = request else { continue };
        match dice.between(0, 9) {
            0 => drop(request),
            1 => request.reject(RequestCode::Uninterested, "not this one"),
            _ => {
                world.count("offers taken");
                let (world, mut dice) = (Arc::clone(&world), dice.fork());
                let (name, largest) = (request.track().clone(), request.offer().ok.largest);
                let subscription = request.accept(SubscribeOptions::default());
                let mut receipt = Receipt::new(name, Filter::Unfiltered, largest);
                readers.spawn(async move { read(&world, subscription, &mut receipt, &mut dice).await });
            }
        }
        while readers.try_join_next().is_some() {}
    }
}

async fn status(world: &World, session: Session, name: TrackName, mut dice: Dice) {
    sleep(dice.millis(0, 2_000)).await;
    world.ask("statuses", session.track_status(name)).await;
}

async fn fetch(world: &World, session: Session, name: TrackName, mut dice: Dice) {
    sleep(dice.millis(0, 2_000)).await;
    let start = Location::new(dice.between(0, 4), dice.between(0, 6));
    let end = Location::new(start.group.0 + dice.between(0, 3), dice.pick(&[0, 5, u64::MAX]));
    let range = FetchRange::Standalone { track: name.clone(), start, end };
    let asked = world.ask("fetches", session.fetch(range, Priority(dice.next() as u8))).await;
    drop(session);
    if let Some(fetch) = asked {
        read_fetch(world, fetch, &mut Receipt::of_range(name, start, end)).await;
    }
}

async fn read_fetch(world: &World, mut fetch: Fetch, receipt: &mut Receipt) {
    loop {
        match fetch.next().await {
            Ok(Some(item @ (FetchItem::Object(_) | FetchItem::Datagram(_)))) => {
                world.count("fetched");
                world.check(world.with_ledger(|ledger| receipt.fetched(ledger, &item)));
            }
            Ok(Some(FetchItem::Gap { .. })) => {}
            Ok(None) => return world.count("fetches whole"),
            Err(_) => return world.count("fetches broken"),
        }
    }
}

async fn learn(world: &World, session: Session, mut dice: Dice) {
    let prefix = Namespace::new([dice.pick(&["sim", "room"])]);
    let asked = world.ask("namespace subscriptions", session.subscribe_namespace(prefix.clone())).await;
    drop(session);
    let Some(subscription) = asked else { return };
    let read = hear(world, subscription, &prefix);
    if dice.chance(30) {
        let _ = timeout(dice.millis(0, 5_000), read).await;
    } else {
        read.await;
    }
}

async fn hear(world: &World, mut subscription: NamespaceSubscription, prefix: &Namespace) {
    let mut known = BTreeSet::new();
    while let Some(event) = subscription.next().await {
        let (namespace, is_news) = match event {
            NamespaceEvent::Published(namespace) => (namespace.clone(), known.insert(namespace)),
            NamespaceEvent::Withdrawn(namespace) => (namespace.clone(), known.remove(&namespace)),
        };
        world.count("namespace events");
        if !is_news || !namespace.starts_with(prefix) {
            world.wrong(&format!("{namespace} came or went twice"));
        }
    }
}
