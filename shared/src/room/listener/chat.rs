//! The track `chat`: what was before, then what is new, each message once.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{Known, Unreadable, read};
use crate::{
    moqt::{GroupId, Location, ObjectId},
    room::{
        chat::{GROUP, Line},
        run::first_of,
    },
};

/// New objects that may wait for the history, or for the group before; past it they go on.
const MAX_HELD: usize = 1024;
/// A group waits so long for the end of the one before.
const HOLD: Duration = Duration::from_millis(500);
/// The history may take this long.
const HISTORY: Duration = Duration::from_secs(5);

/// Chat in order. Groups are streams of their own, of which the later may arrive first; and the history
/// comes beside what is new.
#[derive(Debug, Default)]
pub struct Chat {
    known: Known,
    /// The history is still coming, until this moment at most.
    history: Option<Instant>,
    /// What is passed on next.
    next: Option<Location>,
    held: BTreeMap<Location, Bytes>,
    /// Since when something is held that does not follow.
    since: Option<Instant>,
    /// Groups of which all came.
    ended: BTreeMap<GroupId, ()>,
    lines: VecDeque<Line>,
    /// Objects that could not be read.
    unreadable: u64,
}

impl Chat {
    /// A subscription begins after `largest`; its history is fetched, and told of with
    /// [`past`](Self::past), until [`past_is_over`](Self::past_is_over).
    pub fn begin(&mut self, now: Instant, largest: Option<Location>) {
        self.history = Some(now + HISTORY);
        self.next = largest.map(|largest| Location {
            group: largest.group,
            object: ObjectId(largest.object.0.saturating_add(1)),
        });
        self.held.clear();
        self.ended.clear();
        self.since = None;
    }

    /// An object of the history.
    ///
    /// # Errors
    /// [`Unreadable`] where it is no line of chat; it is left out.
    pub fn past(&mut self, at: Location, payload: &[u8]) -> Result<(), Unreadable> {
        self.pass(at, payload)
    }

    /// All of the history came, or no more of it does.
    pub fn past_is_over(&mut self, now: Instant) {
        self.history = None;
        self.go_on(now);
    }

    /// A new object.
    pub fn take(&mut self, now: Instant, at: Location, payload: Bytes) {
        self.held.insert(at, payload);
        self.go_on(now);
    }

    /// No more objects come of this group.
    pub fn end(&mut self, now: Instant, group: GroupId) {
        self.ended.insert(group, ());
        if self.ended.len() > 64 {
            self.ended.pop_first();
        }
        self.go_on(now);
    }

    /// The next line, in order. Time may have brought some: [`deadline`](Self::deadline) tells.
    pub fn poll(&mut self, now: Instant) -> Option<Line> {
        self.go_on(now);
        self.lines.pop_front()
    }

    /// When to poll again, if nothing else happens.
    pub fn deadline(&self) -> Option<Instant> {
        match self.history {
            Some(history) => Some(history),
            None => self.since.map(|since| since + HOLD),
        }
    }

    /// Objects that could not be read.
    pub fn unreadable(&self) -> u64 {
        self.unreadable
    }

    fn go_on(&mut self, now: Instant) {
        if self.history.is_some_and(|until| now < until) && self.held.len() <= MAX_HELD {
            return;
        }
        self.history = None;
        if let (None, Some((&at, _))) = (self.next, self.held.first_key_value()) {
            // Nothing was said before this listener came: what overtook the first group waits for it.
            self.next = Some(Location { group: first_of(at.group), object: ObjectId(0) });
        }
        while let Some((&at, _)) = self.held.first_key_value() {
            let follows = match self.next {
                // The straggler of a group that was not waited for any longer comes late, but it comes.
                Some(next) if at <= next => true,
                Some(next) if at.group == next.group => true,
                // One that is further on may have others before it that still come.
                Some(next) => at.group.0 == next.group.0.saturating_add(1) && self.is_complete(next),
                None => true,
            };
            if !follows {
                let since = *self.since.get_or_insert(now);
                if now.saturating_duration_since(since) < HOLD && self.held.len() <= MAX_HELD {
                    return;
                }
            }
            self.since = None;
            let Some((at, payload)) = self.held.pop_first() else { return };
            let after = Location { group: at.group, object: ObjectId(at.object.0.saturating_add(1)) };
            if self.next.is_none_or(|next| after > next) {
                self.next = Some(after);
            }
            if let Err(error) = self.pass(at, &payload) {
                tracing::debug!(%error, "a line of chat is left out");
            }
        }
        self.since = None;
    }

    /// Whether nothing follows in the group of `next`.
    fn is_complete(&self, next: Location) -> bool {
        next.object.0 >= GROUP || self.ended.contains_key(&next.group)
    }

    fn pass(&mut self, at: Location, payload: &[u8]) -> Result<(), Unreadable> {
        let line: Line = read(at, payload).inspect_err(|_| self.unreadable += 1)?;
        let is_new = match &line {
            Line::Message(message) => self.known.add(message.message),
            // To take away what is gone changes nothing.
            Line::Deleted { .. } | Line::Cleared { .. } => true,
        };
        if is_new {
            self.lines.push_back(line);
        }
        Ok(())
    }
}
