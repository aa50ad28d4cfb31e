//! Chat messages: ordered, with history.

use std::collections::VecDeque;

use bytes::Bytes;
use shared::{
    media::Timestamp,
    room::{
        MessageId, Refusal, Speaker, ViewerId, Wall,
        chat::{HISTORY, Line, Message, Quoted},
    },
};

use super::feed::Feeds;

/// Characters of a message that are quoted by its answer.
const QUOTED_CHARS: usize = 80;

/// The last messages.
#[derive(Debug, Default)]
pub(super) struct Chat(VecDeque<Message>);

impl Chat {
    /// Shows again what was said before a restart, oldest first: the same messages, in new groups.
    pub(super) fn restore(&mut self, now: Wall, messages: Vec<Message>, feeds: &mut Feeds) {
        for message in messages {
            let line = Line::Message(message);
            feeds.chat(now, &line);
            if let Line::Message(message) = line {
                self.push(message);
            }
        }
    }

    /// What a message that answers `message` quotes of it.
    pub(super) fn quote(&self, message: MessageId) -> Result<Quoted, Refusal> {
        let quoted = self.0.iter().find(|known| known.message == message).ok_or(Refusal::Unknown)?;
        let text = quoted.text.chars().take(QUOTED_CHARS).collect();
        Ok(Quoted { message, name: quoted.from.name.clone(), text })
    }

    /// Shows a message; gives it as it stands on the wire.
    pub(super) fn show(&mut self, now: Wall, message: Message, feeds: &mut Feeds) -> Bytes {
        let line = Line::Message(message);
        let bytes = feeds.chat(now, &line);
        if let Line::Message(message) = line {
            self.push(message);
        }
        bytes
    }

    /// Takes a message away from everybody; gives whose it was and what it said, where that is remembered.
    pub(super) fn delete(
        &mut self,
        now: Wall,
        message: MessageId,
        feeds: &mut Feeds,
    ) -> Option<(ViewerId, String)> {
        feeds.chat(now, &Line::Deleted { message });
        let at = self.0.iter().position(|known| known.message == message)?;
        self.0.remove(at).map(|gone| (gone.from.viewer, gone.text))
    }

    /// Takes all of a viewer's messages away.
    pub(super) fn clear(&mut self, now: Wall, viewer: &ViewerId, feeds: &mut Feeds) {
        self.0.retain(|message| message.from.viewer != *viewer);
        feeds.chat(now, &Line::Cleared { viewer: viewer.clone() });
    }

    /// Who wrote a message that is remembered.
    pub(super) fn author(&self, message: MessageId) -> Option<&Speaker> {
        self.0.iter().find(|known| known.message == message).map(|known| &known.from)
    }

    fn push(&mut self, message: Message) {
        self.0.push_back(message);
        if self.0.len() > HISTORY {
            self.0.pop_front();
        }
    }
}

/// A message of parts that were checked.
pub(super) fn message(
    now: Wall,
    message: MessageId,
    from: Speaker,
    (text, reply_to, media): (String, Option<Quoted>, Option<Timestamp>),
) -> Message {
    Message { message, at: now, from, text, reply_to, media }
}
