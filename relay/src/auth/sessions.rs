//! The sessions that run, so that somebody can be shown the door.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use shared::{naming::Room, room::ViewerId};
use tokio::sync::watch;

use super::token::{Grant, Seconds};

/// Whose sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// Those of a token, by its own name (`jti`).
    Token(String),
    /// Those of a viewer's tokens that were made until then; in all rooms where none is said.
    Viewer { viewer: ViewerId, room: Option<Room>, until: Seconds },
}

impl Target {
    /// Whether it means what this token allows.
    pub(super) fn means(&self, grant: &Grant) -> bool {
        match self {
            Self::Token(token) => grant.token.as_ref() == Some(token),
            Self::Viewer { viewer, room, until } => {
                let identity = &grant.identity;
                let is_here = room.as_ref().is_none_or(|room| *room == identity.room);
                is_here && identity.viewer == *viewer && grant.made <= *until
            }
        }
    }
}

/// All sessions. Bounded by the relay's connections.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    count: u64,
    all: BTreeMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    grants: Vec<Grant>,
    end: watch::Sender<Option<String>>,
}

impl Sessions {
    /// Takes a session in; dropping the ticket takes it out.
    pub(super) fn enter(self: &Arc<Self>) -> Ticket {
        let (end, ended) = watch::channel(None);
        let mut state = self.lock();
        state.count += 1;
        let number = state.count;
        state.all.insert(number, Entry { grants: Vec::new(), end });
        Ticket { sessions: Arc::clone(self), number, ended }
    }

    /// Ends sessions at once, which are told `reason`. How many they are.
    pub(crate) fn end(&self, target: &Target, reason: &str) -> usize {
        let state = self.lock();
        let meant = state.all.values().filter(|entry| entry.grants.iter().any(|grant| target.means(grant)));
        let told = meant.inspect(|entry| {
            entry.end.send_replace(Some(reason.to_owned()));
        });
        told.count()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session's place among all.
#[derive(Debug)]
pub(super) struct Ticket {
    sessions: Arc<Sessions>,
    number: u64,
    ended: watch::Receiver<Option<String>>,
}

impl Ticket {
    /// The session has a further token.
    pub(super) fn note(&self, grant: Grant) {
        if let Some(entry) = self.sessions.lock().all.get_mut(&self.number) {
            // One that expired ends the session, so what gathers here is what counts, and renewals of it.
            entry.grants.retain(|older| older.until >= grant.made || older.identity != grant.identity);
            if entry.grants.len() >= MAX_NOTED {
                entry.grants.remove(0);
            }
            entry.grants.push(grant);
        }
    }

    /// Waits until somebody ends the session, and says why.
    pub(super) async fn ended(&self) -> String {
        let mut ended = self.ended.clone();
        let reason = ended.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone());
        match reason {
            Some(reason) => reason,
            None => std::future::pending().await,
        }
    }
}

/// Tokens of one session that are remembered, renewed ones among them; past it the oldest is forgotten.
const MAX_NOTED: usize = 64;

impl Drop for Ticket {
    fn drop(&mut self) {
        self.sessions.lock().all.remove(&self.number);
    }
}
