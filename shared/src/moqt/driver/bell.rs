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
    /// Its end: acknowledged whole, or stopped.
    OutEnd(u64),
}

/// A session's doorbell. The list is bounded: each [`Ring`] and each [`Port`] is in it once.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    state: Mutex<State>,
    /// Whether there may be something in the list, so that most looks need no lock.
    has_rung: AtomicBool,
    numbers: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    /// The oldest of what was rung: most of the time there is no other.
    first: Option<Rung>,
    rest: VecDeque<Rung>,
    task: Option<Waker>,
    is_silent: bool,
}

/// Something that was rung.
#[derive(Debug)]
enum Rung {
    Ring(Arc<Ring>),
    /// A handle, which knows by its [`Aside`] that it was.
    Handle(Stream),
}

impl State {
    fn push(&mut self, rung: Rung) {
        if self.first.is_none() && self.rest.is_empty() {
            self.first = Some(rung);
        } else {
            self.rest.push_back(rung);
        }
    }

    fn pop(&mut self) -> Option<Rung> {
        self.first.take().or_else(|| self.rest.pop_front())
    }

    fn is_empty(&self) -> bool {
        self.first.is_none() && self.rest.is_empty()
    }
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

    /// The next thing to look at, if there is one by now.
    pub(crate) fn next(&self) -> Option<Target> {
        if !self.has_rung.load(Ordering::Acquire) {
            return None;
        }
        self.pop(&mut lock(&self.state))
    }

    /// The next thing to look at; where there is none, `task` is woken for it.
    pub(crate) fn next_or_wake(&self, task: &Waker) -> Option<Target> {
        let mut state = lock(&self.state);
        let next = self.pop(&mut state);
        if next.is_none() {
            match &mut state.task {
                Some(known) => known.clone_from(task),
                none => *none = Some(task.clone()),
            }
        }
        next
    }

    fn pop(&self, state: &mut State) -> Option<Target> {
        let rung = state.pop();
        self.has_rung.store(!state.is_empty(), Ordering::Release);
        match rung? {
            Rung::Ring(ring) => {
                ring.rung.store(false, Ordering::Release);
                Some(ring.target)
            }
            Rung::Handle(stream) => Some(Target::Handle(stream)),
        }
    }

    /// Wakes the task for what was not rung yet.
    fn wake(&self, rung: Rung) {
        let task = {
            let mut state = lock(&self.state);
            if state.is_silent {
                return;
            }
            state.push(rung);
            self.has_rung.store(true, Ordering::Release);
            state.task.take()
        };
        if let Some(task) = task {
            task.wake();
        }
    }

    /// Forgets all that was rung and will be: the task is over.
    pub(crate) fn silence(&self) {
        let mut state = lock(&self.state);
        state.is_silent = true;
        state.first = None;
        state.rest.clear();
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
        if !self.rung.swap(true, Ordering::AcqRel) {
            self.bell.wake(Rung::Ring(Arc::clone(self)));
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

/// State that a handle shares with the session's task, and how it tells the task of a change. In this order, so
/// that what every object needs of it lies together.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Port<T> {
    bell: Arc<Bell>,
    request: Stream,
    /// What is the same for every kind of request.
    pub(crate) aside: Aside,
    state: Mutex<T>,
}

impl<T> Port<T> {
    /// For the handle of a request.
    pub(crate) fn new(bell: &Arc<Bell>, request: Stream, state: T) -> Arc<Self> {
        let bell = Arc::clone(bell);
        Arc::new(Self { bell, request, aside: Aside::default(), state: Mutex::new(state) })
    }

    /// The state; never held over an await.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        lock(&self.state)
    }

    /// Wakes the task, once until it looks.
    pub(crate) fn ring(&self) {
        if self.aside.ring() {
            self.bell.wake(Rung::Handle(self.request));
        }
    }
}

/// A panic elsewhere leaves state that is whole enough to end the session with.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
