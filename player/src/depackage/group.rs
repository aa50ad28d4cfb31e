//! What waits of one group.

use std::collections::{BTreeMap, VecDeque};

use shared::{
    loc,
    media::{FrameKind, TemporalLayer, VideoFrame, h264},
    moqt::{Object, ObjectId, SubgroupEnd, SubgroupId},
};

use super::BASE;

#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) lanes: BTreeMap<SubgroupId, Lane>,
    /// No object with this ID or a larger one is in the group.
    pub(super) end: Option<ObjectId>,
}

#[derive(Debug, Default)]
pub(super) struct Lane {
    pub(super) frames: VecDeque<Waiting>,
    pub(super) end: Option<SubgroupEnd>,
    /// An object could not be read: what follows it in this lane is not decodable.
    pub(super) damaged: bool,
}

#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) id: ObjectId,
    pub(super) frame: VideoFrame,
    /// Needs nothing but the base layer.
    pub(super) base_sync: bool,
}

impl Group {
    /// The keyframe that opens it, where it is here and unread.
    pub(super) fn key(&self) -> Option<&Waiting> {
        let front = self.lanes.get(&BASE)?.frames.front()?;
        (front.id == ObjectId(0) && front.frame.kind == FrameKind::Key).then_some(front)
    }

    pub(super) fn is_broken(&self) -> bool {
        self.lanes
            .get(&BASE)
            .is_some_and(|base| base.damaged || matches!(base.end, Some(SubgroupEnd::Reset(_))))
    }
}

/// A frame out of an object; `None` where it is none.
pub(super) fn waiting(object: Object, header: &loc::Header) -> Option<Waiting> {
    if object.payload.is_empty() {
        return None;
    }
    let from_subgroup = TemporalLayer(u8::try_from(object.subgroup.id.0).unwrap_or(u8::MAX));
    let layer = header.marking.map_or(from_subgroup, |marking| marking.layer);
    let base_sync = header
        .marking
        .is_some_and(|marking| marking.base_layer_sync || (marking.discardable && layer == TemporalLayer(1)));
    let kind = if h264::is_keyframe(&object.payload) { FrameKind::Key } else { FrameKind::Delta };
    Some(Waiting {
        id: object.id,
        frame: VideoFrame { timestamp: header.timestamp, kind, layer, payload: object.payload },
        base_sync,
    })
}
