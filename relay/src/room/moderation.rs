//! What is allowed, who is silenced or sent away, what waits for a moderator.

use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
};

use serde::{Deserialize, Serialize};
use shared::room::{
    MessageId, Refusal, Role, Speaker, ViewerId, Wall, chat, danmaku,
    desk::{Banned, MAX_WAITING, Muted, Waiting},
    identity::Standing,
    mode::{
        Approval, Change, Content, Features, MAX_BLOCKED_CHARS, MAX_BLOCKED_WORDS, MAX_SLOW_SECONDS, Mode,
        Speakers,
    },
    text,
};

use super::words::{self, Blocked};

/// Viewers that are silenced at one time; further ones are refused.
const MAX_MUTED: usize = 1_000;
/// Viewers that are banned; further ones are refused.
const MAX_BANNED: usize = 1_000;
/// The longest that somebody is silenced: 30 days, in seconds.
const MAX_MUTE: u32 = 30 * 24 * 3_600;

/// A ban, with what others do not see of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// Who, and since when.
    pub banned: Banned,
    /// The addresses that it reaches.
    pub addresses: Vec<IpAddr>,
}

/// A message that waits for a moderator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Held {
    /// A chat message.
    Chat(chat::Draft),
    /// A bullet.
    Danmaku(danmaku::Draft),
}

/// A text that somebody wants to be seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words<'a> {
    pub(super) text: &'a str,
    /// Characters that it may have.
    pub(super) max: usize,
    /// Whether slow mode counts it, and when its writer last said something that counts.
    pub(super) slow: Option<Option<Wall>>,
}

/// The rules and those whom they hit.
#[derive(Debug, Default)]
pub(super) struct Moderation {
    mode: Mode,
    blocked: Blocked,
    muted: BTreeMap<ViewerId, Muted>,
    banned: BTreeMap<ViewerId, Ban>,
    waiting: VecDeque<(Waiting, Held)>,
}

impl Moderation {
    /// The one from before a restart.
    pub(super) fn restore(mode: Mode, blocked: Vec<String>, muted: Vec<Muted>, banned: Vec<Ban>) -> Self {
        Self {
            mode,
            blocked: Blocked::new(blocked),
            muted: muted.into_iter().map(|muted| (muted.viewer.clone(), muted)).collect(),
            banned: banned.into_iter().map(|ban| (ban.banned.viewer.clone(), ban)).collect(),
            waiting: VecDeque::new(),
        }
    }

    /// The rules.
    pub(super) fn mode(&self) -> &Mode {
        &self.mode
    }

    /// The words that are blocked.
    pub(super) fn blocked_words(&self) -> Vec<String> {
        self.blocked.words().to_vec()
    }

    /// The text as it is shown, if this viewer may say it here now. Moderators may say anything that can be
    /// shown.
    pub(super) fn check(
        &self,
        now: Wall,
        (viewer, role, standing): (&ViewerId, Role, Standing),
        words: Words<'_>,
    ) -> Result<String, Refusal> {
        if role.moderates() {
            return text::clean(words.text, words.max);
        }
        if let Some(seconds) = self.muted_for(now, viewer) {
            return Err(Refusal::Muted { seconds });
        }
        match self.mode.speakers {
            Speakers::Members if standing == Standing::Guest => return Err(Refusal::MembersOnly),
            Speakers::Moderators => return Err(Refusal::NotAllowed),
            Speakers::Everybody | Speakers::Members => {}
        }
        if let Some(Some(spoke_at)) = words.slow {
            let free_at = spoke_at.0.saturating_add(u64::from(self.mode.slow_seconds) * 1_000);
            if free_at > now.0 {
                return Err(Refusal::TooFast { seconds: seconds(free_at - now.0) });
            }
        }
        let text = text::clean(words.text, words.max)?;
        match self.mode.content {
            Content::Text if words::has_link(&text) => return Err(Refusal::BadLink),
            Content::Emotes if !words::is_emotes(&text) => return Err(Refusal::EmotesOnly),
            Content::Text | Content::Links | Content::Emotes => {}
        }
        if self.blocked.is_in(&text) { Err(Refusal::BlockedWord) } else { Ok(text) }
    }

    /// Whether a name may be borne: neither words that are blocked nor links.
    pub(super) fn check_name(&self, role: Role, name: &str, max: usize) -> Result<String, Refusal> {
        let name = text::clean(name, max)?;
        match role.moderates() {
            false if self.blocked.is_in(&name) => Err(Refusal::BlockedWord),
            false if words::has_link(&name) => Err(Refusal::BadLink),
            _ => Ok(name),
        }
    }

    /// Whether what a viewer writes waits for a moderator.
    pub(super) fn holds(&self, role: Role) -> bool {
        !role.moderates() && self.mode.approval == Approval::All
    }

    /// Whether questions wait for a moderator.
    pub(super) fn holds_questions(&self, role: Role) -> bool {
        !role.moderates() && self.mode.approval != Approval::None
    }

    /// Keeps a message until a moderator decides on it.
    pub(super) fn hold(&mut self, waiting: Waiting, held: Held) -> Result<(), Refusal> {
        if self.waiting.len() >= MAX_WAITING {
            return Err(Refusal::Full { max: MAX_WAITING });
        }
        self.waiting.push_back((waiting, held));
        Ok(())
    }

    /// Gives a message that waits to be decided on.
    pub(super) fn release(&mut self, message: MessageId) -> Option<(Waiting, Held)> {
        let at = self.waiting.iter().position(|(waiting, _)| waiting.message == message)?;
        self.waiting.remove(at)
    }

    /// Lets go of what a viewer wrote that waits; gives which messages they were.
    pub(super) fn drop_all_of(&mut self, viewer: &ViewerId) -> Vec<MessageId> {
        let theirs = self.waiting.iter().filter(|(waiting, _)| waiting.from.viewer == *viewer);
        let theirs: Vec<MessageId> = theirs.map(|(waiting, _)| waiting.message).collect();
        self.waiting.retain(|(waiting, _)| waiting.from.viewer != *viewer);
        theirs
    }

    /// Changes the rules; gives whether the blocked words changed. What the room offers is for hosts.
    pub(super) fn change(&mut self, role: Role, change: &Change) -> Result<bool, Refusal> {
        if role < Role::Host && (change.preset.is_some() || change.features.is_some()) {
            return Err(Refusal::NotAllowed);
        }
        if let Some(seconds) = change.slow_seconds
            && seconds > MAX_SLOW_SECONDS
        {
            let detail = format!("slow mode is 0 to {MAX_SLOW_SECONDS} seconds");
            return Err(Refusal::Malformed { detail });
        }
        if let Some(words) = &change.blocked_words {
            if words.len() > MAX_BLOCKED_WORDS {
                return Err(Refusal::Full { max: MAX_BLOCKED_WORDS });
            }
            if words.iter().any(|word| word.chars().count() > MAX_BLOCKED_CHARS) {
                return Err(Refusal::TooLong { max: MAX_BLOCKED_CHARS });
            }
            self.blocked = Blocked::new(words.clone());
        }
        let mode = &mut self.mode;
        if let Some(preset) = change.preset {
            mode.preset = preset;
            mode.features = Features::of(preset);
        }
        mode.features = change.features.unwrap_or(mode.features);
        mode.slow_seconds = change.slow_seconds.unwrap_or(mode.slow_seconds);
        mode.speakers = change.speakers.unwrap_or(mode.speakers);
        mode.approval = change.approval.unwrap_or(mode.approval);
        mode.content = change.content.unwrap_or(mode.content);
        Ok(change.blocked_words.is_some())
    }

    /// Silences a viewer for so many seconds, or lets it speak again.
    pub(super) fn mute(
        &mut self,
        now: Wall,
        viewer: &ViewerId,
        name: String,
        seconds: u32,
    ) -> Result<(), Refusal> {
        self.muted.retain(|_, muted| muted.until > now);
        if seconds == 0 {
            return self.muted.remove(viewer).map(|_| ()).ok_or(Refusal::Unknown);
        }
        if self.muted.len() >= MAX_MUTED && !self.muted.contains_key(viewer) {
            return Err(Refusal::Full { max: MAX_MUTED });
        }
        let until = Wall(now.0.saturating_add(u64::from(seconds.min(MAX_MUTE)) * 1_000));
        self.muted.insert(viewer.clone(), Muted { viewer: viewer.clone(), name, until });
        Ok(())
    }

    /// Until when a viewer is silenced.
    pub(super) fn muted_until(&self, now: Wall, viewer: &ViewerId) -> Option<Wall> {
        self.muted.get(viewer).map(|muted| muted.until).filter(|until| *until > now)
    }

    fn muted_for(&self, now: Wall, viewer: &ViewerId) -> Option<f64> {
        self.muted_until(now, viewer).map(|until| seconds(until.0.saturating_sub(now.0)))
    }

    /// Everybody who is silenced.
    pub(super) fn muted(&self, now: Wall) -> Vec<Muted> {
        self.muted.values().filter(|muted| muted.until > now).cloned().collect()
    }

    /// Sends a viewer away, and all others without a role who come from these addresses.
    pub(super) fn ban(&mut self, ban: Ban) -> Result<(), Refusal> {
        if self.banned.len() >= MAX_BANNED && !self.banned.contains_key(&ban.banned.viewer) {
            return Err(Refusal::Full { max: MAX_BANNED });
        }
        self.banned.insert(ban.banned.viewer.clone(), ban);
        Ok(())
    }

    /// Lets a viewer come back.
    pub(super) fn unban(&mut self, viewer: &ViewerId) -> Result<(), Refusal> {
        self.banned.remove(viewer).map(|_| ()).ok_or(Refusal::Unknown)
    }

    /// Whether somebody is not let in.
    pub(super) fn is_banned(&self, viewer: &ViewerId, role: Role, address: IpAddr) -> bool {
        is_among(self.banned.values(), Some((viewer, role)), address)
    }

    /// Everybody who is banned, as moderators see them.
    pub(super) fn banned(&self) -> Vec<Banned> {
        self.banned.values().map(|ban| ban.banned.clone()).collect()
    }

    /// All bans.
    pub(super) fn bans(&self) -> Vec<Ban> {
        self.banned.values().cloned().collect()
    }
}

/// Whether one of these bans hits somebody, or a watcher that did not say who it is. No address bans a
/// moderator: they may sit beside whom they ban.
pub(super) fn is_among<'a>(
    mut bans: impl Iterator<Item = &'a Ban>,
    who: Option<(&ViewerId, Role)>,
    address: IpAddr,
) -> bool {
    let is_exempt = who.is_some_and(|(_, role)| role.moderates());
    bans.any(|ban| {
        who.is_some_and(|(viewer, _)| ban.banned.viewer == *viewer)
            || !is_exempt && ban.addresses.contains(&address)
    })
}

/// Whether one role may act on somebody with another: on those below.
pub(super) fn outranks(by: Role, of: Option<Role>) -> Result<(), Refusal> {
    if of.is_none_or(|of| of < by) { Ok(()) } else { Err(Refusal::NotAllowed) }
}

/// A message as it waits.
pub(super) fn waiting(now: Wall, message: MessageId, from: Speaker, text: String) -> Waiting {
    Waiting { message, at: now, from, text }
}

fn seconds(millis: u64) -> f64 {
    std::time::Duration::from_millis(millis).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(moderation: &Moderation, role: Role, text: &str) -> Result<String, Refusal> {
        let viewer: ViewerId = "ann".parse().expect("a viewer");
        let words = Words { text, max: 100, slow: Some(Some(Wall(9_000))) };
        moderation.check(Wall(10_000), (&viewer, role, Standing::Guest), words)
    }

    fn with(change: &Change) -> Moderation {
        let mut moderation = Moderation::default();
        moderation.change(Role::Host, change).expect("changed");
        moderation
    }

    #[test]
    fn each_rule_refuses_what_it_is_for_and_moderators_nothing() {
        let mut muted = Moderation::default();
        muted.mute(Wall(9_000), &"ann".parse().expect("a viewer"), "Ann".to_owned(), 3).expect("muted");
        for (moderation, text, why) in [
            (muted, "hello", Refusal::Muted { seconds: 2.0 }),
            (
                with(&Change { slow_seconds: Some(5), ..Change::default() }),
                "hello",
                Refusal::TooFast { seconds: 4.0 },
            ),
            (
                with(&Change { speakers: Some(Speakers::Members), ..Change::default() }),
                "hi",
                Refusal::MembersOnly,
            ),
            (
                with(&Change { speakers: Some(Speakers::Moderators), ..Change::default() }),
                "hi",
                Refusal::NotAllowed,
            ),
            (
                with(&Change { content: Some(Content::Emotes), ..Change::default() }),
                "hi 👍",
                Refusal::EmotesOnly,
            ),
            (Moderation::default(), "see https://a.example", Refusal::BadLink),
            (
                with(&Change { blocked_words: Some(vec!["scam".to_owned()]), ..Change::default() }),
                "a S C A M",
                Refusal::BlockedWord,
            ),
        ] {
            assert_eq!(said(&moderation, Role::Viewer, text), Err(why));
            assert_eq!(said(&moderation, Role::Moderator, text).as_deref(), Ok(text));
        }
    }

    #[test]
    fn slow_mode_is_bounded_and_what_the_room_offers_is_for_hosts() {
        let mut moderation = Moderation::default();
        let slow = Change { slow_seconds: Some(121), ..Change::default() };
        assert!(matches!(moderation.change(Role::Host, &slow), Err(Refusal::Malformed { .. })));
        let features = Change { features: Some(Features::default()), ..Change::default() };
        assert_eq!(moderation.change(Role::Moderator, &features), Err(Refusal::NotAllowed));
        assert_eq!(moderation.change(Role::Host, &features), Ok(false));
    }

    #[test]
    fn an_address_bans_viewers_but_no_moderator() {
        let mut moderation = Moderation::default();
        let (ann, bob): (ViewerId, ViewerId) = ("ann".parse().expect("one"), "bob".parse().expect("one"));
        let address = IpAddr::from([192, 0, 2, 1]);
        let banned = Banned { viewer: ann.clone(), name: "Ann".to_owned(), at: Wall(1) };
        moderation.ban(Ban { banned, addresses: vec![address] }).expect("banned");
        assert!(moderation.is_banned(&ann, Role::Viewer, IpAddr::from([192, 0, 2, 9])));
        assert!(moderation.is_banned(&bob, Role::Viewer, address));
        assert!(!moderation.is_banned(&bob, Role::Moderator, address));
        assert!(!moderation.is_banned(&bob, Role::Viewer, IpAddr::from([192, 0, 2, 9])));
        moderation.unban(&ann).expect("let in");
        assert!(!moderation.is_banned(&ann, Role::Viewer, address));
    }
}
