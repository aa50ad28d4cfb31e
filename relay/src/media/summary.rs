//! What the audience experiences, for the publisher: the track `summary`, once a second.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use shared::moqt::{
    GroupId, Item, Object, ObjectId, Priority, Properties, Status, Subgroup, SubgroupEnd, SubgroupId,
};
use tokio::sync::mpsc;

use crate::analytics::recorder::now;

/// Items that may wait for the track: two summaries. A further one is left out.
pub(crate) const CAPACITY: usize = 4;

const EVERY: Duration = Duration::from_secs(1);

/// Makes a summary every second until the track or the relay is gone. Groups are numbered by milliseconds
/// since the epoch, one object each: `{"viewers": N, "at": microseconds since the epoch}`.
pub(crate) async fn run(viewers: impl Fn() -> Option<usize> + Send + 'static, items: mpsc::Sender<Item>) {
    let mut ticks = tokio::time::interval(EVERY);
    while !items.is_closed() {
        tokio::select! {
            biased;
            () = items.closed() => return,
            _ = ticks.tick() => {}
        }
        let Some(viewers) = viewers() else { return };
        let at = now().0;
        let (group, subgroup) = (GroupId(at / 1_000), SubgroupId(0));
        let payload = Bytes::from(json!({ "viewers": viewers, "at": at }).to_string());
        let header =
            Subgroup { group, id: subgroup, priority: Priority(128), ends_group: true, from_first: true };
        let object = Object {
            subgroup: header,
            id: ObjectId(0),
            status: Status::Normal,
            properties: Properties::default(),
            payload,
        };
        let end = Item::End { group, subgroup, end: SubgroupEnd::Finished };
        if items.try_send(Item::Object(object)).is_ok() {
            // The end has its place: the track takes both before the next second.
            let _ = items.try_send(end);
        }
    }
}
