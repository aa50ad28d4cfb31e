//! Objects as they come from the network -> coded frames in the order of decoding.
//!
//! A gap never reaches a decoder. What the base layer lacks ends its group: playing goes on at the next
//! group's keyframe. What an enhancement layer lacks is left out, with what needs it. Something that is
//! missing may still come, and is waited for until it is due.

use std::{collections::BTreeMap, time::Duration};

use shared::{
    loc,
    media::{TemporalLayer, Timestamp, VideoFrame},
    moqt::{GroupId, Item, Object, ObjectId, Status, SubgroupEnd, SubgroupId},
};

mod group;
mod sound;

use group::{Group, Lane, Waiting, waiting};

pub(crate) use sound::{Packet, Sound};

/// What was let go, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Lost {
    /// Frames that never came, or came too late to be decoded.
    pub(crate) frames: u64,
    /// Objects that are not LOC.
    pub(crate) not_loc: u64,
    /// Frames thrown away because too many waited.
    pub(crate) overflow: u64,
}

/// One picture track.
#[derive(Debug)]
pub(crate) struct Video {
    groups: BTreeMap<GroupId, Group>,
    /// The group that is being read, and the object that is next in it.
    next: Option<(GroupId, ObjectId)>,
    /// Enhancement frames are left out until one needs only the base layer.
    needs_base_sync: bool,
    interval: Duration,
    last: Option<Timestamp>,
    bytes: usize,
    lost: Lost,
    /// A group ended before its time: a keyframe would help.
    broken: Option<GroupId>,
}

/// What is known of the object that is next.
#[derive(Debug, PartialEq, Eq)]
enum Outlook {
    /// It may come as any part of the picture: wait, since nothing can do without it.
    Wait,
    /// It is of an enhancement layer: the base has passed it.
    Enhancement,
    /// Nothing more comes in this group.
    Over,
    /// The base layer is broken: the rest of the group is of no use.
    Broken,
}

const BASE: SubgroupId = SubgroupId(0);
/// What may wait, in bytes, groups and frames a lane; past it the oldest group goes.
const MOST_BYTES: usize = 32 << 20;
const MOST_GROUPS: usize = 32;
const MOST_LANES: usize = 8;
const MOST_FRAMES: usize = 4096;
/// A frame this late is not decoded where a keyframe after it is due as well.
const TOO_LATE: Duration = Duration::from_millis(150);

impl Video {
    /// A track whose frames come in about this interval.
    pub(crate) fn new(interval: Duration) -> Self {
        Self {
            groups: BTreeMap::new(),
            next: None,
            needs_base_sync: false,
            interval,
            last: None,
            bytes: 0,
            lost: Lost::default(),
            broken: None,
        }
    }

    /// Takes what came. Says when it was captured, where it is a frame.
    pub(crate) fn push(&mut self, item: Item) -> Option<Timestamp> {
        match item {
            Item::Object(object) => self.push_object(object),
            Item::End { group, subgroup, end } => {
                let done = self.next.is_some_and(|(current, _)| group < current);
                if !done && (self.groups.contains_key(&group) || subgroup == BASE) {
                    self.lane(group, subgroup).end = Some(end);
                }
                None
            }
            // A picture in a datagram may be lost without a trace: nothing here sends them.
            Item::Datagram(_) => {
                self.lost.frames += 1;
                None
            }
        }
    }

    /// The next frame to decode. What is missing and was due before `due` is given up; `None` gives up
    /// everything, as before playing starts.
    pub(crate) fn poll(&mut self, due: Option<Timestamp>) -> Option<VideoFrame> {
        self.skip_late(due);
        loop {
            let Some((group, object)) = self.next else {
                let first = self.ready_group_after(None)?;
                self.enter(first);
                continue;
            };
            if let Some(waiting) = self.take(group, object) {
                self.next = Some((group, ObjectId(object.0 + 1)));
                if self.is_decodable(&waiting) {
                    self.note_interval(waiting.frame.timestamp);
                    return Some(waiting.frame);
                }
                self.lost.frames += 1;
                continue;
            }
            let overdue = due.is_none_or(|due| self.expected(1) <= due);
            match self.outlook(group, object) {
                Outlook::Wait => {
                    // A later keyframe that is due leaves no time to wait.
                    let later = self.ready_group_after(Some(group))?;
                    if due.is_some_and(|due| self.key_time(later).is_some_and(|key| key > due)) {
                        return None;
                    }
                    self.lost.frames += 1;
                    self.enter(later);
                }
                Outlook::Enhancement if overdue => self.pass_over(group, object),
                Outlook::Enhancement => return None,
                Outlook::Over | Outlook::Broken => {
                    let later = self.ready_group_after(Some(group))?;
                    // Between two groups one may be on its way still.
                    if later.0 != group.0 + 1 && !overdue {
                        return None;
                    }
                    self.enter(later);
                }
            }
        }
    }

    /// When something that is missing is given up, if anything is waited for.
    pub(crate) fn gives_up_at(&self) -> Option<Timestamp> {
        (!self.groups.is_empty()).then(|| self.expected(1))
    }

    /// Timestamp of the first frame that waits at the head of a group: where this track can be entered.
    pub(crate) fn entry(&self) -> Option<Timestamp> {
        self.key_time(self.ready_group_after(None)?)
    }

    /// The group that is being read.
    pub(crate) fn group(&self) -> Option<GroupId> {
        self.next.map(|(group, _)| group)
    }

    /// The group that broke, once: a keyframe is worth asking for.
    pub(crate) fn take_broken(&mut self) -> Option<GroupId> {
        self.broken.take()
    }

    /// What was let go so far.
    pub(crate) fn lost(&self) -> Lost {
        self.lost
    }

    fn push_object(&mut self, object: Object) -> Option<Timestamp> {
        let (group, lane) = (object.subgroup.group, object.subgroup.id);
        let next = self.next.filter(|(current, _)| group <= *current);
        if let Some((current, next)) = next
            && (group < current || object.id < next)
        {
            self.lost.frames += u64::from(object.status == Status::Normal);
            return None;
        }
        if object.status != Status::Normal {
            self.open(group).end = Some(object.id);
            return None;
        }
        let Ok(header) = loc::Header::decode(&object.properties) else {
            self.lost.not_loc += 1;
            self.lane(group, lane).damaged = true;
            return None;
        };
        let Some(waiting) = waiting(object, &header) else {
            self.lost.not_loc += 1;
            self.lane(group, lane).damaged = true;
            return None;
        };
        let timestamp = waiting.frame.timestamp;
        let bytes = waiting.frame.payload.len();
        let target = self.lane(group, lane);
        let in_order = target.frames.back().is_none_or(|last| last.id < waiting.id);
        if target.damaged || !in_order || target.frames.len() >= MOST_FRAMES {
            target.damaged = true;
            self.lost.frames += 1;
            return None;
        }
        target.frames.push_back(waiting);
        self.bytes += bytes;
        self.bound();
        Some(timestamp)
    }

    fn open(&mut self, group: GroupId) -> &mut Group {
        self.groups.entry(group).or_default()
    }

    fn lane(&mut self, group: GroupId, lane: SubgroupId) -> &mut Lane {
        let lanes = &mut self.open(group).lanes;
        // Past the bound all share the last lane, where they are out of order and thereby damaged.
        let lane =
            if lanes.len() < MOST_LANES || lanes.contains_key(&lane) { lane } else { SubgroupId(u64::MAX) };
        lanes.entry(lane).or_default()
    }

    /// Throws the oldest groups away while too much waits.
    fn bound(&mut self) {
        while self.bytes > MOST_BYTES || self.groups.len() > MOST_GROUPS {
            let Some(oldest) = self.groups.keys().next().copied() else { return };
            let frames = self.drop_group(oldest);
            self.lost.overflow += frames;
            self.lost.frames += frames;
            if self.next.is_some_and(|(current, _)| current == oldest) {
                // A group without lanes is broken: the next poll leaves it.
                self.lane(oldest, BASE).damaged = true;
                if self.groups.len() <= 1 {
                    return;
                }
            }
        }
    }

    fn drop_group(&mut self, group: GroupId) -> u64 {
        let Some(group) = self.groups.remove(&group) else { return 0 };
        let mut frames = 0;
        for waiting in group.lanes.values().flat_map(|lane| &lane.frames) {
            self.bytes = self.bytes.saturating_sub(waiting.frame.payload.len());
            frames += 1;
        }
        frames
    }

    /// Takes the object where it waits at the head of a lane; drops what lies before it.
    fn take(&mut self, group: GroupId, object: ObjectId) -> Option<Waiting> {
        let lanes = &mut self.groups.get_mut(&group)?.lanes;
        let mut found = None;
        for lane in lanes.values_mut() {
            while lane.frames.front().is_some_and(|front| front.id <= object) {
                let waiting = lane.frames.pop_front()?;
                self.bytes = self.bytes.saturating_sub(waiting.frame.payload.len());
                if waiting.id == object {
                    found = Some(waiting);
                } else {
                    self.lost.frames += 1;
                }
            }
        }
        found
    }

    fn is_decodable(&mut self, waiting: &Waiting) -> bool {
        if waiting.frame.layer == TemporalLayer(0) {
            return true;
        }
        if self.needs_base_sync && waiting.base_sync {
            self.needs_base_sync = false;
        }
        !self.needs_base_sync
    }

    fn outlook(&self, group: GroupId, object: ObjectId) -> Outlook {
        let Some(group) = self.groups.get(&group) else { return Outlook::Wait };
        if group.end.is_some_and(|end| end <= object) {
            return Outlook::Over;
        }
        let Some(base) = group.lanes.get(&BASE) else { return Outlook::Wait };
        if base.frames.front().is_some_and(|front| front.id > object) {
            return Outlook::Enhancement;
        }
        if base.damaged || matches!(base.end, Some(SubgroupEnd::Reset(_))) {
            return Outlook::Broken;
        }
        if base.end.is_none() {
            return Outlook::Wait;
        }
        let more = |lane: &Lane| !lane.frames.is_empty() || (lane.end.is_none() && !lane.damaged);
        if group.lanes.values().any(more) { Outlook::Enhancement } else { Outlook::Over }
    }

    /// Gives up the enhancement frames from `object` to the next that is there.
    fn pass_over(&mut self, group: GroupId, object: ObjectId) {
        let lanes = self.groups.get(&group).map(|group| &group.lanes);
        let next = lanes
            .into_iter()
            .flat_map(BTreeMap::values)
            .filter_map(|lane| lane.frames.front().map(|front| front.id))
            .min();
        self.needs_base_sync = true;
        match next {
            Some(next) => {
                self.lost.frames += next.0.saturating_sub(object.0);
                self.next = Some((group, next));
            }
            // The base is over and nothing of the rest is here: it is too late by now.
            None => {
                if let Some(group) = self.groups.get_mut(&group) {
                    group.end = Some(object);
                }
            }
        }
    }

    /// The first group after `group` that begins with a keyframe which is here.
    fn ready_group_after(&self, group: Option<GroupId>) -> Option<GroupId> {
        self.groups
            .iter()
            .filter(|(id, _)| group.is_none_or(|group| **id > group))
            .find(|(_, group)| group.key().is_some())
            .map(|(id, _)| *id)
    }

    fn key_time(&self, group: GroupId) -> Option<Timestamp> {
        self.groups.get(&group)?.key().map(|key| key.frame.timestamp)
    }

    fn enter(&mut self, group: GroupId) {
        let before: Vec<GroupId> = self.groups.range(..group).map(|(id, _)| *id).collect();
        for id in before {
            let broke = self.next.is_some_and(|(current, _)| current == id)
                && self.groups.get(&id).is_some_and(Group::is_broken);
            if broke {
                self.broken = Some(id);
            }
            self.lost.frames += self.drop_group(id);
        }
        self.next = Some((group, ObjectId(0)));
        self.needs_base_sync = false;
    }

    /// Leaves a group whose frames are all too late for one whose keyframe is due.
    fn skip_late(&mut self, due: Option<Timestamp>) {
        let (Some(due), Some((current, _))) = (due, self.next) else { return };
        let latest = self
            .groups
            .iter()
            .rev()
            .take_while(|(id, _)| **id > current)
            .find(|(_, group)| group.key().is_some_and(|key| key.frame.timestamp + TOO_LATE <= due))
            .map(|(id, _)| *id);
        if let Some(latest) = latest {
            self.enter(latest);
        }
    }

    /// When the frame that is `ahead` places after the last one is due.
    fn expected(&self, ahead: u32) -> Timestamp {
        self.last.map_or(Timestamp(0), |last| last + self.interval * ahead)
    }

    fn note_interval(&mut self, timestamp: Timestamp) {
        if let Some(last) = self.last {
            let step = timestamp.since(last);
            if (Duration::from_millis(4)..Duration::from_millis(250)).contains(&step) {
                self.interval = (self.interval * 7 + step) / 8;
            }
        }
        self.last = Some(timestamp);
    }
}

#[cfg(test)]
mod tests;
