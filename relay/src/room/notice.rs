//! The one notice that stands over the chat.

use shared::room::{
    Delta, Refusal, Speaker, Wall,
    notice::{Draft, MAX_CHARS, Notice},
    text,
};

use super::feed::Feeds;

/// Puts a notice up, or takes it down.
pub(super) fn put(now: Wall, by: &Speaker, draft: &Draft, feeds: &mut Feeds) -> Result<(), Refusal> {
    let notice = match text::clean(&draft.text, MAX_CHARS) {
        Ok(text) => Some(Notice { at: now, from: by.clone(), text }),
        Err(Refusal::Empty) => None,
        Err(why) => return Err(why),
    };
    let detail = notice.as_ref().map(|notice| notice.text.clone()).unwrap_or_default();
    feeds.tell(now, Delta::Notice(notice));
    feeds.act(now, by, "notice", None, detail);
    Ok(())
}
