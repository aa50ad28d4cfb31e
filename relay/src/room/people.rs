//! Who is in the room: sessions with a voice, and the viewers that they are of.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
};

use shared::{
    event::SessionId,
    room::{Identity, MessageId, Role, SayId, Speaker, ViewerId, Wall, identity::Standing},
};

use super::{
    limits,
    once::{self, Answered, Outcome},
};

/// Sessions with a voice; further ones are sent away.
pub(super) const MAX_SESSIONS: usize = 20_000;
/// Viewers that are remembered, there or not. Past it those who left longest ago are forgotten.
const MAX_VIEWERS: usize = 40_000;
/// Sessions of one viewer; further ones are sent away.
const MAX_EACH: usize = 8;
/// Addresses of one viewer that are remembered, the newest.
const MAX_ADDRESSES: usize = 8;
/// For how long a viewer that left is remembered, in milliseconds.
const REMEMBERED: u64 = 10 * 60 * 1_000;

/// A session with a voice.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) viewer: ViewerId,
    pub(super) address: IpAddr,
    pub(super) role: Role,
    pub(super) standing: Standing,
    /// Answers since who it is was told; `None` where it does not listen.
    pub(super) answers: Option<u32>,
}

/// A viewer, there or just gone.
#[derive(Debug)]
pub(super) struct Viewer {
    /// The name that others see.
    pub(super) name: String,
    /// The role of the session that came last.
    pub(super) role: Role,
    /// The name was changed here, and what a token says is older.
    is_renamed: bool,
    sessions: Vec<SessionId>,
    addresses: Vec<IpAddr>,
    pub(super) limits: limits::Personal,
    pub(super) answered: Answered,
    /// When it last said something that slow mode counts.
    pub(super) spoke_at: Option<Wall>,
    left_at: Option<Wall>,
}

impl Viewer {
    /// One of whom nothing is known yet, and who is not there.
    fn new(now: Wall, name: String, role: Role) -> Self {
        Self {
            name,
            role,
            is_renamed: false,
            sessions: Vec::new(),
            addresses: Vec::new(),
            limits: limits::Personal::default(),
            answered: Answered::default(),
            spoke_at: None,
            left_at: Some(now),
        }
    }
}

/// Why somebody is not let in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

/// All of them.
#[derive(Debug, Default)]
pub(super) struct People {
    sessions: HashMap<SessionId, Session>,
    viewers: HashMap<ViewerId, Viewer>,
    present: u32,
    joined: u32,
    left: u32,
    /// Answers that are remembered.
    answers: usize,
}

impl People {
    /// Lets a session in.
    pub(super) fn came(
        &mut self,
        now: Wall,
        session: SessionId,
        who: Identity,
        address: IpAddr,
    ) -> Result<(), Full> {
        if self.sessions.contains_key(&session) {
            return Ok(());
        }
        if self.sessions.len() >= MAX_SESSIONS {
            return Err(Full);
        }
        if self.viewers.len() >= MAX_VIEWERS && !self.viewers.contains_key(&who.viewer) {
            self.forget_oldest();
        }
        let viewer = self
            .viewers
            .entry(who.viewer.clone())
            .or_insert_with(|| Viewer::new(now, who.name.clone(), who.role));
        if viewer.sessions.len() >= MAX_EACH {
            return Err(Full);
        }
        if !viewer.is_renamed {
            viewer.name = who.name;
        }
        viewer.role = who.role;
        if viewer.left_at.take().is_some() {
            self.present += 1;
            self.joined = self.joined.saturating_add(1);
        }
        viewer.sessions.push(session);
        viewer.addresses.retain(|known| *known != address);
        viewer.addresses.push(address);
        if viewer.addresses.len() > MAX_ADDRESSES {
            viewer.addresses.remove(0);
        }
        let (role, standing) = (who.role, who.standing);
        self.sessions.insert(session, Session { viewer: who.viewer, address, role, standing, answers: None });
        Ok(())
    }

    /// A session is gone.
    pub(super) fn left(&mut self, now: Wall, session: SessionId) {
        let Some(gone) = self.sessions.remove(&session) else { return };
        let Some(viewer) = self.viewers.get_mut(&gone.viewer) else { return };
        viewer.sessions.retain(|known| *known != session);
        if viewer.sessions.is_empty() {
            viewer.left_at = Some(now);
            self.present = self.present.saturating_sub(1);
            self.left = self.left.saturating_add(1);
        }
    }

    /// Forgets those who left long ago.
    pub(super) fn forget(&mut self, now: Wall) {
        let mut answers = 0;
        self.viewers.retain(|_, viewer| {
            let is_kept = viewer.left_at.is_none_or(|left| now.0.saturating_sub(left.0) < REMEMBERED);
            if !is_kept {
                answers += viewer.answered.len();
            }
            is_kept
        });
        self.answers = self.answers.saturating_sub(answers);
    }

    /// Forgets a tenth of those who left, the longest gone: once for many who come.
    fn forget_oldest(&mut self) {
        let mut gone: Vec<Wall> = self.viewers.values().filter_map(|viewer| viewer.left_at).collect();
        gone.sort_unstable();
        let Some(until) = gone.get(gone.len() / 10).copied() else { return };
        self.viewers.retain(|_, viewer| viewer.left_at.is_none_or(|left| left > until));
        self.answers = self.viewers.values().map(|viewer| viewer.answered.len()).sum();
    }

    pub(super) fn session(&self, session: SessionId) -> Option<&Session> {
        self.sessions.get(&session)
    }

    pub(super) fn session_mut(&mut self, session: SessionId) -> Option<&mut Session> {
        self.sessions.get_mut(&session)
    }

    pub(super) fn viewer(&self, viewer: &ViewerId) -> Option<&Viewer> {
        self.viewers.get(viewer)
    }

    pub(super) fn viewer_mut(&mut self, viewer: &ViewerId) -> Option<&mut Viewer> {
        self.viewers.get_mut(viewer)
    }

    /// Sessions of a viewer.
    pub(super) fn sessions_of(&self, viewer: &ViewerId) -> Vec<SessionId> {
        self.viewers.get(viewer).map(|viewer| viewer.sessions.clone()).unwrap_or_default()
    }

    /// Where a viewer came from.
    pub(super) fn addresses_of(&self, viewer: &ViewerId) -> Vec<IpAddr> {
        self.viewers.get(viewer).map(|viewer| viewer.addresses.clone()).unwrap_or_default()
    }

    /// Sessions of viewers without a role from these addresses.
    pub(super) fn viewers_at(&self, addresses: &[IpAddr]) -> Vec<SessionId> {
        let all = self.sessions.iter();
        let mut found: Vec<SessionId> = all
            .filter(|(_, session)| !session.role.moderates() && addresses.contains(&session.address))
            .map(|(id, _)| *id)
            .collect();
        found.sort_unstable();
        found
    }

    /// Whether a viewer has not been there for so many milliseconds.
    pub(super) fn is_away(&self, now: Wall, viewer: &ViewerId, millis: u64) -> bool {
        self.viewers
            .get(viewer)
            .is_none_or(|viewer| viewer.left_at.is_some_and(|left| now.0.saturating_sub(left.0) >= millis))
    }

    /// Somebody has another name.
    pub(super) fn rename(&mut self, viewer: &ViewerId, name: String) {
        if let Some(viewer) = self.viewers.get_mut(viewer) {
            viewer.name = name;
            viewer.is_renamed = true;
        }
    }

    /// Remembers what was answered to a viewer.
    pub(super) fn remember(&mut self, viewer: &ViewerId, id: SayId, outcome: Outcome) {
        let Some(known) = self.viewers.get_mut(viewer) else { return };
        self.answers += known.answered.remember(id, outcome);
        if self.answers > once::ALL {
            let share = once::ALL * 3 / 4 / self.viewers.len().max(1);
            let cut: usize = self.viewers.values_mut().map(|viewer| viewer.answered.keep(share)).sum();
            self.answers = self.answers.saturating_sub(cut);
        }
    }

    /// What was answered before a restart to somebody who may come back.
    pub(super) fn recall(&mut self, now: Wall, from: &Speaker, id: SayId, message: Option<MessageId>) {
        if self.viewers.len() >= MAX_VIEWERS && !self.viewers.contains_key(&from.viewer) {
            return;
        }
        self.viewers
            .entry(from.viewer.clone())
            .or_insert_with(|| Viewer::new(now, from.name.clone(), from.role));
        self.remember(&from.viewer, id, message.map_or(Outcome::Accepted, Outcome::Message));
    }

    /// Viewers that are there, and how many came and left since the last call.
    pub(super) fn take_counts(&mut self) -> (u32, u32, u32) {
        (self.present, std::mem::take(&mut self.joined), std::mem::take(&mut self.left))
    }

    /// Viewers that are there.
    pub(super) fn present(&self) -> u32 {
        self.present
    }

    /// Whether no session is there.
    pub(super) fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Names that were changed here, of those who are remembered.
    pub(super) fn renamed(&self) -> BTreeMap<ViewerId, String> {
        let renamed = self.viewers.iter().filter(|(_, viewer)| viewer.is_renamed);
        renamed.map(|(id, viewer)| (id.clone(), viewer.name.clone())).collect()
    }
}
