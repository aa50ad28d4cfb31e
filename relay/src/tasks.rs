//! Tasks that outlive whoever started them, and the owner that ends them.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::task::JoinSet;

/// A set of tasks. Clones share it; dropping the last one ends them all.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tasks(Arc<Mutex<JoinSet<()>>>);

impl Tasks {
    /// Starts a task; those that are over are let go.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    /// Ends them all at once. Tasks that hold a clone keep the set from ending by itself.
    pub(crate) fn end(&self) {
        let tasks = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        drop(tasks);
    }

    /// Waits so long for the tasks to end by themselves, then ends them.
    pub(crate) async fn finish(&self, patience: Duration) {
        let mut tasks = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let all = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(patience, all).await.is_err() {
            tracing::debug!("tasks did not end in time and are ended");
        }
    }
}
