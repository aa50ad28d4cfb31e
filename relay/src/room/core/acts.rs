//! What hosts and moderators do in a room.

use shared::room::{
    Delta, MessageId, Refusal, Say, Speaker, ViewerId, Wall, chat as chats, desk,
    mode::Reach,
    polls::{self, PollId},
    products::ProductId,
};

use super::{
    super::{
        Ban, Kept, Said, chat, danmaku,
        feed::json,
        moderation::{Held, outranks},
        notice, products,
    },
    By, Done, Output, Room, kind, plausible,
};

impl Room {
    /// What hosts and moderators do.
    pub(super) fn act(&mut self, now: Wall, by: &By, say: Say) -> Result<Done, Refusal> {
        let (who, kind) = (&by.who, kind(&say));
        match say {
            Say::Delete(delete) => {
                if delete.message.0 > self.number {
                    return Err(Refusal::Unknown);
                }
                if let Some(author) = self.chat.author(delete.message)
                    && author.viewer != who.viewer
                {
                    outranks(who.role, Some(author.role))?;
                }
                let gone = self.chat.delete(now, delete.message, &mut self.feeds);
                let (to, detail) = gone.map_or((None, String::new()), |(viewer, text)| (Some(viewer), text));
                self.feeds.keep(Kept::Deleted(delete.message));
                self.feeds.act(now, who, kind, to, detail);
                Ok(Done::about(delete.message.0))
            }
            Say::Mute(mute) => {
                let name = self.target(who, &mute.viewer)?;
                self.moderation.mute(now, &mute.viewer, name, mute.seconds)?;
                let muted = self.moderation.muted(now);
                self.feeds.tell_desk(now, desk::Delta::Muted(muted));
                self.introduce_all(now, &mute.viewer);
                self.feeds.act(now, who, kind, Some(mute.viewer), format!("{} s", mute.seconds));
                Ok(Done::default())
            }
            Say::Ban(ban) => self.ban(now, who, ban.viewer, ban.reach),
            Say::Unban(unban) => {
                self.moderation.unban(&unban.viewer)?;
                self.tell_bans(now);
                self.feeds.act(now, who, kind, Some(unban.viewer), String::new());
                Ok(Done::default())
            }
            Say::Mode(change) => {
                let has_words = self.moderation.change(who.role, &change)?;
                let mode = *self.moderation.mode();
                if mode != self.feeds.state().mode {
                    self.feeds.tell(now, Delta::Mode(mode));
                }
                if has_words {
                    let words = self.moderation.blocked_words();
                    self.feeds.tell_desk(now, desk::Delta::BlockedWords(words));
                }
                let detail = String::from_utf8_lossy(&json(&change)).into_owned();
                self.feeds.act(now, who, kind, None, detail);
                Ok(Done::default())
            }
            Say::Approve(approve) => self.approve(now, who, approve),
            Say::Question(to) => {
                let author = self.questions.advance(now, to, &mut self.feeds)?;
                self.feeds.act(now, who, kind, Some(author), format!("{:?}", to.to));
                Ok(Done::about(to.question.0))
            }
            Say::Poll(act) => {
                let (poll, what) = self.poll_act(now, act)?;
                self.feeds.act(now, who, kind, None, what);
                Ok(Done::about(poll.0))
            }
            Say::Product(act) => {
                let new = ProductId(self.next());
                let media = match &act {
                    shared::room::products::Act::Pin(pin) => plausible(now, pin.media),
                    _ => None,
                };
                let what = products::act(now, act, new, &mut self.feeds)?;
                self.feeds.act(now, who, kind, None, what);
                Ok(Done { media, ..Done::default() })
            }
            Say::Notice(draft) => {
                notice::put(now, who, &draft, &mut self.feeds)?;
                Ok(Done::default())
            }
            Say::LowerHands(lower) => {
                self.attendance.lower(now, lower.viewer.as_ref())?;
                self.feeds.act(now, who, kind, lower.viewer, String::new());
                Ok(Done::default())
            }
            Say::Chat(_)
            | Say::Danmaku(_)
            | Say::React(_)
            | Say::Ask(_)
            | Say::Upvote(_)
            | Say::Vote(_)
            | Say::Hand(_)
            | Say::Rename(_) => Err(Refusal::NotAllowed),
        }
    }

    /// The name of somebody whom another one may act on.
    fn target(&self, by: &Speaker, viewer: &ViewerId) -> Result<String, Refusal> {
        let known = self.people.viewer(viewer);
        if by.viewer == *viewer {
            return Err(Refusal::NotAllowed);
        }
        outranks(by.role, known.map(|known| known.role))?;
        Ok(known.map_or_else(|| viewer.to_string(), |known| known.name.clone()))
    }

    fn ban(&mut self, now: Wall, by: &Speaker, viewer: ViewerId, reach: Reach) -> Result<Done, Refusal> {
        let name = self.target(by, &viewer)?;
        let addresses = match reach {
            Reach::Viewer => Vec::new(),
            Reach::Address => self.people.addresses_of(&viewer),
        };
        let banned = desk::Banned { viewer: viewer.clone(), name, at: now };
        self.moderation.ban(Ban { banned, addresses: addresses.clone() })?;
        self.chat.clear(now, &viewer, &mut self.feeds);
        self.feeds.keep(Kept::Cleared(viewer.clone()));
        for message in self.moderation.drop_all_of(&viewer) {
            self.feeds.tell_desk(now, desk::Delta::Decided(message));
        }
        self.questions.hide_all_of(now, &viewer, &mut self.feeds);
        // The hand may be down.
        let _ = self.attendance.lower(now, Some(&viewer));
        self.tell_bans(now);
        let mut sessions = self.people.sessions_of(&viewer);
        sessions.extend(self.people.viewers_at(&addresses));
        sessions.sort_unstable();
        sessions.dedup();
        for session in sessions {
            self.people.left(now, session);
            self.feeds.put(Output::Away { session, reason: "banned from this room" });
        }
        self.attendance.moved(now);
        let reach = match reach {
            Reach::Viewer => "viewer",
            Reach::Address => "viewer and address",
        };
        self.feeds.act(now, by, "ban", Some(viewer), reach.to_owned());
        Ok(Done::default())
    }

    fn tell_bans(&mut self, now: Wall) {
        self.feeds.tell_desk(now, desk::Delta::Banned(self.moderation.banned()));
        self.feeds.put(Output::Banned(self.moderation.bans()));
    }

    /// Decides on a message that waits. One that is shown gets the number and the time of now.
    fn approve(&mut self, now: Wall, by: &Speaker, approve: chats::Approve) -> Result<Done, Refusal> {
        let (waiting, held) = self.moderation.release(approve.message).ok_or(Refusal::Unknown)?;
        self.feeds.tell_desk(now, desk::Delta::Decided(approve.message));
        let (author, text) = (waiting.from, waiting.text);
        let (to, act) = (author.viewer.clone(), format!("{:?}: {text}", approve.verdict));
        let mut done = Done::about(approve.message.0);
        if approve.verdict == chats::Verdict::Show {
            let id = MessageId(self.next());
            let detail = match held {
                Held::Chat(draft) => {
                    // What it answers may be gone meanwhile.
                    let quoted = draft.reply_to.and_then(|message| self.chat.quote(message).ok());
                    done.media = plausible(now, draft.media);
                    let message = chat::message(now, id, author.clone(), (text, quoted, done.media));
                    ("chat", self.chat.show(now, message, &mut self.feeds))
                }
                Held::Danmaku(draft) => {
                    done.media = plausible(now, draft.media);
                    let bullet = (&draft, text, done.media);
                    ("danmaku", danmaku::show(now, id, author.clone(), bullet, &mut self.feeds))
                }
            };
            let (kind, detail) = detail;
            let (media, subject) = (done.media, Some(id.0));
            // The number that its sender gave it was answered already.
            let said = Said { at: now, media, from: author, kind, say: None, subject, detail };
            self.feeds.keep(Kept::Said(said));
        }
        self.feeds.act(now, by, "approve", Some(to), act);
        Ok(done)
    }

    fn poll_act(&mut self, now: Wall, act: polls::Act) -> Result<(PollId, String), Refusal> {
        match act {
            polls::Act::Open(draft) => {
                if !self.moderation.mode().features.polls {
                    return Err(Refusal::Off);
                }
                let poll = PollId(self.next());
                let what = format!("open: {}", draft.question.trim());
                self.polls.open(now, poll, &draft, &mut self.feeds)?;
                Ok((poll, what))
            }
            polls::Act::Lock { poll } => {
                self.polls.advance(now, poll, polls::Stage::Locked, &mut self.feeds)?;
                Ok((poll, "lock".to_owned()))
            }
            polls::Act::Reveal { poll } => {
                self.polls.advance(now, poll, polls::Stage::Revealed, &mut self.feeds)?;
                Ok((poll, "reveal".to_owned()))
            }
            polls::Act::Remove { poll } => {
                self.polls.remove(now, poll, &mut self.feeds)?;
                Ok((poll, "remove".to_owned()))
            }
        }
    }
}
