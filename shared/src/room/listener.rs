//! One viewer's ear: brings what the room's tracks carry into order, each thing once. Pure.
//!
//! | type | track |
//! |---|---|
//! | [`State`] | `state`: a snapshot and what changed since |
//! | [`Chat`] | `chat`: history and what is new, in order |
//! | [`Danmaku`] | `danmaku`: bullets, and which of the missing ones to fetch |
//! | [`Reactions`] | `reactions`: the newest tally |

use std::collections::{BTreeSet, VecDeque};

use super::{Delta, MessageId, Snapshot, reactions::Tally};
use crate::moqt::Location;

mod chat;
mod danmaku;

pub use chat::Chat;
pub use danmaku::{Danmaku, Missing};

/// An object that is not what the contract says.
#[derive(Debug, thiserror::Error)]
#[error("object {object} of group {group} cannot be read: {source}")]
pub struct Unreadable {
    group: u64,
    object: u64,
    source: serde_json::Error,
}

/// The track `state` as its objects tell it: object 0 of a group is whole, later ones change it.
#[derive(Debug, Default)]
pub struct State {
    snapshot: Option<Snapshot>,
    last: Option<Location>,
}

impl State {
    /// Takes an object. The state, where it is new or has changed.
    ///
    /// # Errors
    /// [`Unreadable`] where it is neither snapshot nor delta; what was known stays, until the next snapshot.
    pub fn take(&mut self, at: Location, payload: &[u8]) -> Result<Option<&Snapshot>, Unreadable> {
        if self.last.is_some_and(|last| at <= last) {
            return Ok(None);
        }
        if at.object.0 == 0 {
            self.snapshot = Some(read::<Snapshot>(at, payload)?);
        } else {
            let follows = self.last.is_some_and(|last| {
                last.group == at.group && last.object.0.checked_add(1) == Some(at.object.0)
            });
            match &mut self.snapshot {
                Some(snapshot) if follows => snapshot.apply(read::<Delta>(at, payload)?),
                // A change of something that is not known: the next snapshot tells.
                _ => return Ok(None),
            }
        }
        self.last = Some(at);
        Ok(self.snapshot.as_ref())
    }

    /// All of it, once it is known.
    pub fn snapshot(&self) -> Option<&Snapshot> {
        self.snapshot.as_ref()
    }

    /// The objects of another connection follow: what is known stays until they tell anew, since a relay
    /// that began again may count its groups from the start.
    pub fn reconnected(&mut self) {
        self.last = None;
    }
}

/// The track `reactions`: a tally replaces all before it.
#[derive(Debug, Default)]
pub struct Reactions {
    last: Option<Location>,
}

impl Reactions {
    /// Takes an object; `None` where a newer one was taken before.
    ///
    /// # Errors
    /// [`Unreadable`] where it is no tally.
    pub fn take(&mut self, at: Location, payload: &[u8]) -> Result<Option<Tally>, Unreadable> {
        if self.last.is_some_and(|last| at <= last) {
            return Ok(None);
        }
        let tally = read(at, payload)?;
        self.last = Some(at);
        Ok(Some(tally))
    }

    /// The objects of another connection follow.
    pub fn reconnected(&mut self) {
        self.last = None;
    }
}

fn read<T: serde::de::DeserializeOwned>(at: Location, payload: &[u8]) -> Result<T, Unreadable> {
    serde_json::from_slice(payload).map_err(|source| Unreadable {
        group: at.group.0,
        object: at.object.0,
        source,
    })
}

/// Messages that are known already: the last [`REMEMBERED`] of them.
#[derive(Debug, Default)]
struct Known {
    order: VecDeque<MessageId>,
    all: BTreeSet<MessageId>,
}

/// More than a late joiner gets, and than any reordering spans.
const REMEMBERED: usize = 2048;

impl Known {
    /// Whether it is new.
    fn add(&mut self, message: MessageId) -> bool {
        if !self.all.insert(message) {
            return false;
        }
        self.order.push_back(message);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.all.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests;
