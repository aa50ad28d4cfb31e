//! Who may do what: tokens, what they allow, and how they are taken back.
//!
//! | module | what it is |
//! |---|---|
//! | `key` | the key that tokens are signed with |
//! | `token` | tokens as text, and their claims |
//! | `authority` | what the tokens of a session allow; pure |
//! | `revoked` | tokens that were taken back |
//! | `sessions` | the sessions that run, so that they can be ended |
//! | `mint` | makes tokens, and takes them back |

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use shared::{
    moqt::{AuthToken, Namespace, RequestCode, SessionCode, TrackName},
    naming::Room,
    room::Identity,
};
use tokio::sync::Notify;

use crate::{Config, config::Watch};

mod authority;
mod door;
mod key;
mod mint;
mod revoked;
mod sessions;
mod token;

pub(crate) use authority::{Authority, Denied, Rules};
pub(crate) use door::NotAdmitted;
pub use key::KeyError;
pub(crate) use key::Keys;
pub use mint::{TokenCommandError, token};
pub(crate) use sessions::{Sessions, Target};
pub(crate) use token::Seconds;

/// How often the data folder is looked at for tokens that were taken back.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What all sessions are judged by.
#[derive(Debug)]
pub(crate) struct Auth {
    keys: Keys,
    rules: Rules,
    sessions: Arc<Sessions>,
    revoked: Mutex<revoked::Revoked>,
    now: fn() -> Seconds,
}

/// A token for tests that need one: of a host.
#[cfg(test)]
pub(crate) fn host_token(keys: &Keys, room: &Room) -> AuthToken {
    let claims =
        serde_json::json!({ "room": room.to_string(), "sub": "host", "role": "host", "exp": u32::MAX });
    AuthToken::jwt(&token::sign(keys, &claims))
}

/// The wall clock.
pub(crate) fn now() -> Seconds {
    Seconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
}

impl Auth {
    /// With the rules of `config`.
    pub(crate) fn new(config: &Config, keys: Keys) -> Arc<Self> {
        let rules = match (config.open, config.watch) {
            (true, _) => Rules::Open,
            (false, Watch::Anyone) => Rules::Watched,
            (false, Watch::Token) => Rules::Closed,
        };
        let (sessions, revoked) = (Arc::default(), Mutex::default());
        Arc::new(Self { keys, rules, sessions, revoked, now })
    }

    /// The rights of a new session, whose tokens come in SETUP and later.
    pub(crate) fn enter(self: &Arc<Self>) -> Arc<Rights> {
        let authority = Mutex::new(Authority::new(self.rules));
        let ticket = self.sessions.enter();
        Arc::new(Rights { auth: Arc::clone(self), authority, ticket, changed: Notify::new() })
    }

    /// Looks for tokens that were taken back, and ends their sessions. Never ends by itself.
    pub(crate) async fn watch_revoked(self: Arc<Self>, folder: PathBuf) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        let mut has_warned = false;
        loop {
            ticks.tick().await;
            let (auth, folder) = (Arc::clone(&self), folder.clone());
            let looked = tokio::task::spawn_blocking(move || lock(&auth.revoked).look(&folder)).await;
            match looked {
                Ok(Ok(new)) => {
                    has_warned = false;
                    for target in new {
                        let ended = self.sessions.end(&target, "the token was revoked");
                        tracing::info!(?target, ended, "revoked");
                    }
                }
                Ok(Err(error)) if !std::mem::replace(&mut has_warned, true) => {
                    tracing::warn!(%error, "cannot read which tokens are revoked: trying on");
                }
                Ok(Err(_)) | Err(_) => {}
            }
        }
    }
}

/// The rights of one session. Dropping it takes the session off the list of those that run.
#[derive(Debug)]
pub(crate) struct Rights {
    auth: Arc<Auth>,
    authority: Mutex<Authority>,
    ticket: sessions::Ticket,
    changed: Notify,
}

impl Rights {
    /// Checks tokens that came; the good ones count from now on for the whole session.
    ///
    /// # Errors
    /// [`Denied`] for the first that is no good.
    pub(crate) fn present(&self, tokens: &[AuthToken]) -> Result<(), Denied> {
        for token in tokens {
            let grant = self.lock().present(&self.auth.keys, token, (self.auth.now)())?;
            let Some(grant) = grant else { continue };
            // Noted before it is looked up: one that is revoked between the two is seen by either.
            self.ticket.note(grant.clone());
            if lock(&self.auth.revoked).has(&grant) {
                let reason = "the token was revoked: get a new one".to_owned();
                *self.lock() = Authority::new(self.auth.rules);
                return Err(Denied { code: RequestCode::Unauthorized, reason });
            }
            self.changed.notify_one();
        }
        Ok(())
    }

    /// Waits until the session is to be closed: a token has expired and no newer one stands for it, or somebody
    /// ends it.
    pub(crate) async fn lost(&self) -> (SessionCode, String) {
        let expired = async {
            loop {
                let left = self.lock().expires_in((self.auth.now)());
                match left {
                    Some(Duration::ZERO) => return,
                    Some(left) => {
                        tokio::select! {
                            () = tokio::time::sleep(left.min(MAX_SLEEP)) => {}
                            () = self.changed.notified() => {}
                        }
                    }
                    None => self.changed.notified().await,
                }
            }
        };
        tokio::select! {
            reason = self.ticket.ended() => (SessionCode::Unauthorized, reason),
            () = expired => (SessionCode::ExpiredAuthToken, "the token has expired: get a new one".to_owned()),
        }
    }

    /// See [`Authority::identity`].
    pub(crate) fn identity(&self, room: &Room) -> Option<Identity> {
        self.lock().identity(room).cloned()
    }

    /// See [`Authority::may_publish`].
    pub(crate) fn may_publish(&self, namespace: &Namespace) -> Result<(), Denied> {
        self.lock().may_publish(namespace)
    }

    /// See [`Authority::may_watch`].
    pub(crate) fn may_watch(&self, track: &TrackName) -> Result<(), Denied> {
        self.lock().may_watch(track)
    }

    /// See [`Authority::may_list`].
    pub(crate) fn may_list(&self, namespace: &Namespace) -> Result<(), Denied> {
        self.lock().may_list(namespace)
    }

    /// See [`Authority::may_say`].
    pub(crate) fn may_say(&self, namespace: &Namespace) -> Result<Identity, Denied> {
        self.lock().may_say(namespace)
    }

    fn lock(&self) -> MutexGuard<'_, Authority> {
        lock(&self.authority)
    }
}

/// The wall clock is looked at again after so long: it may be set, and machines sleep.
const MAX_SLEEP: Duration = Duration::from_secs(60);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
