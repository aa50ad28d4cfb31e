//! How everything that can happen to a session wakes its one task, and says what happened.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Wake, Waker},
};

use super::aside::Aside;
use crate::moqt::session::Stream;

/// What the task has to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// The session's handles: close, GOAWAY, or none is left.
    Session,
    /// Calls that wait for an answer.
    Calls,
    /// Peer's bidirectional streams.
    AcceptBi,
    /// Peer's unidirectional streams.
    AcceptUni,
    /// Our next bidirectional stream.
    OpenBi,
    /// Our next unidirectional stream.
    OpenUni,
    /// Peer's datagrams.
    Datagrams,
    /// The connection's end.
    Closed,
    /// The core's deadline.
    Timer,
    /// Our control stream.
    Control,
    /// A request's stream.
    Request(Stream),
    /// A request's handle in the application.
    Handle(Stream),
    /// A unidirectional stream of the peer.
    In(u64),
    /// A unidirectional stream of ours.
    Out(u64),
}

/// A session's doorbell. The list is bounded: each [`Ring`] is in it once.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    state: Mutex<State>,
    numbers: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    rung: VecDeque<Arc<Ring>>,
    task: Option<Waker>,
    is_silent: bool,
}

impl Bell {
    /// A ring for `target`.
    pub(crate) fn ring(self: &Arc<Self>, target: Target) -> Arc<Ring> {
        Arc::new(Ring { bell: Arc::clone(self), target, rung: AtomicBool::new(false) })
    }

    /// A number that this session did not have yet.
    pub(crate) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// The next thing to look at; where there is none, `task` is woken for it.
    pub(crate) fn next(&self, task: &Waker) -> Option<Target> {
        let mut state = lock(&self.state);
        if let Some(ring) = state.rung.pop_front() {
            ring.rung.store(false, Ordering::Release);
            return Some(ring.target);
        }
        match &mut state.task {
            Some(known) => known.clone_from(task),
            none => *none = Some(task.clone()),
        }
        None
    }

    /// Forgets all that was rung and will be: the task is over.
    pub(crate) fn silence(&self) {
        let mut state = lock(&self.state);
        state.is_silent = true;
        state.rung.clear();
        state.task = None;
    }
}

/// One thing's right to be looked at; it is a waker too.
#[derive(Debug)]
pub(crate) struct Ring {
    bell: Arc<Bell>,
    target: Target,
    rung: AtomicBool,
}

impl Ring {
    /// Wakes the task for this target, once until the task looks.
    pub(crate) fn ring(self: &Arc<Self>) {
        if self.rung.swap(true, Ordering::AcqRel) {
            return;
        }
        let task = {
            let mut state = lock(&self.bell.state);
            if state.is_silent {
                return;
            }
            state.rung.push_back(Arc::clone(self));
            state.task.take()
        };
        if let Some(task) = task {
            task.wake();
        }
    }

    /// As a waker for what is polled for this target.
    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }
}

impl Wake for Ring {
    fn wake(self: Arc<Self>) {
        self.ring();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}

/// State that a handle shares with the session's task, and the ring that tells the task of a change.
#[derive(Debug)]
pub(crate) struct Port<T> {
    state: Mutex<T>,
    /// What is the same for every kind of request.
    pub(crate) aside: Aside,
    ring: Arc<Ring>,
}

impl<T> Port<T> {
    /// For the handle of a request.
    pub(crate) fn new(bell: &Arc<Bell>, request: Stream, state: T) -> Arc<Self> {
        let ring = bell.ring(Target::Handle(request));
        Arc::new(Self { state: Mutex::new(state), aside: Aside::default(), ring })
    }

    /// The state; never held over an await.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        lock(&self.state)
    }

    /// Wakes the task.
    pub(crate) fn ring(&self) {
        self.ring.ring();
    }
}

/// A panic elsewhere leaves state that is whole enough to end the session with.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
