//! Bullet comments.

use shared::{
    media::Timestamp,
    room::{
        MessageId, Speaker, Wall,
        danmaku::{Bullet, Draft},
    },
};

use bytes::Bytes;

use super::feed::Feeds;

/// Shows a bullet whose text is clean; gives it as it stands on the wire.
pub(super) fn show(
    now: Wall,
    message: MessageId,
    from: Speaker,
    (draft, text, media): (&Draft, String, Option<Timestamp>),
    feeds: &mut Feeds,
) -> Bytes {
    let bullet = Bullet { message, at: now, from, text, color: draft.color, mode: draft.mode, media };
    feeds.danmaku(now, &bullet)
}
