//! Where rooms are written down, and read again after a restart. Never waited for by what viewers see.

use shared::naming;
use tokio::sync::oneshot;

use super::{Kept, Restored};
use crate::analytics::store::Rooms;

/// The way to the records of rooms. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keeper {
    /// `None` where nothing is written down.
    store: Option<Rooms>,
}

impl Keeper {
    /// One that writes there.
    pub(crate) fn new(store: Rooms) -> Self {
        Self { store: Some(store) }
    }

    /// Has something written down. What the store cannot take is lost and counted.
    pub(super) fn keep(&self, room: &naming::Room, kept: Kept) {
        if let Some(store) = &self.store {
            store.keep(room, kept);
        }
    }

    /// What a room was when it was last written down.
    pub(super) async fn restore(&self, room: naming::Room) -> Restored {
        let Some(store) = self.store.clone() else { return Restored::default() };
        let name = room.clone();
        match tokio::task::spawn_blocking(move || store.restore(&name)).await {
            Ok(Ok(restored)) => restored,
            Ok(Err(error)) => {
                tracing::error!(%room, %error, "cannot read the room's records: it begins anew");
                Restored::default()
            }
            Err(_) => Restored::default(),
        }
    }

    /// Waits until all that was handed over is written down, as far as it can be.
    pub(super) async fn settle(&self) {
        if let Some(store) = &self.store {
            let (done, settled) = oneshot::channel();
            store.settle(done);
            let _ = tokio::time::timeout(std::time::Duration::from_secs(5), settled).await;
        }
    }
}
