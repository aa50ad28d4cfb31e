//! What the tokens of a session allow. Pure: time comes as an argument.

use std::time::Duration;

use shared::{
    moqt::{AuthToken, Namespace, RequestCode, SessionCode, TrackName},
    naming::{Feed, Room},
    room::{Identity, Role, ViewerId, identity::Standing},
};

use super::{
    key::Keys,
    token::{Grant, Seconds, TokenError, verify},
};

/// Different tokens of one session that count at one time.
const MAX_GRANTS: usize = 16;

/// Who may do what without a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rules {
    /// Anything: for experiments and interop. Tokens that come are checked all the same.
    Open,
    /// Anybody watches; the rest takes a token.
    Watched,
    /// Everything takes a token.
    Closed,
}

/// Why something is not allowed, with what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Denied {
    /// For a request.
    pub(crate) code: RequestCode,
    /// For a person.
    pub(crate) reason: String,
}

impl Denied {
    fn unauthorized(reason: String) -> Self {
        Self { code: RequestCode::Unauthorized, reason }
    }

    /// The code that says the same of a session (draft-18 §15.10.1).
    pub(crate) fn session_code(&self) -> SessionCode {
        match self.code {
            RequestCode::MalformedAuthToken => SessionCode::MalformedAuthToken,
            RequestCode::ExpiredAuthToken => SessionCode::ExpiredAuthToken,
            _ => SessionCode::Unauthorized,
        }
    }
}

impl From<TokenError> for Denied {
    fn from(error: TokenError) -> Self {
        let code = match error {
            TokenError::Malformed(_) => RequestCode::MalformedAuthToken,
            TokenError::Expired => RequestCode::ExpiredAuthToken,
            TokenError::Forged | TokenError::Early => RequestCode::Unauthorized,
        };
        Self { code, reason: error.to_string() }
    }
}

/// The rights of one session: the union of what its tokens allow.
#[derive(Debug, Clone)]
pub(crate) struct Authority {
    rules: Rules,
    grants: Vec<Grant>,
}

impl Authority {
    /// One without tokens.
    pub(crate) fn new(rules: Rules) -> Self {
        Self { rules, grants: Vec::new() }
    }

    /// Checks a token and counts it from now on. Tokens of types other than 0 are not ours: an open relay leaves
    /// them out (draft-18 §10.2.2).
    ///
    /// # Errors
    /// [`Denied`] where it is no good; what counted before still counts.
    pub(crate) fn present(
        &mut self,
        keys: &Keys,
        token: &AuthToken,
        now: Seconds,
    ) -> Result<Option<Grant>, Denied> {
        if token.kind.0 != 0 {
            return match self.rules {
                Rules::Open => Ok(None),
                Rules::Watched | Rules::Closed => Err(Denied {
                    code: RequestCode::MalformedAuthToken,
                    reason: "this relay takes tokens of type 0, which are JSON Web Tokens".to_owned(),
                }),
            };
        }
        let grant = verify(keys, &token.value, now)?;
        if self.grants.contains(&grant) {
            return Ok(None);
        }
        self.grants.retain(|grant| grant.until > now);
        // A newer token of the same person in the same part stands for the older one.
        self.grants.retain(|older| !covers(&grant, older));
        if self.grants.len() >= MAX_GRANTS {
            let reason = "too many different tokens in one session".to_owned();
            return Err(Denied { code: RequestCode::ExcessiveLoad, reason });
        }
        self.grants.push(grant.clone());
        Ok(Some(grant))
    }

    /// How long until the first token expires; zero where one has.
    pub(crate) fn expires_in(&self, now: Seconds) -> Option<Duration> {
        let first = self.grants.iter().map(|grant| grant.until).min()?;
        Some(Duration::from_secs(first.0.saturating_sub(now.0)))
    }

    /// Who this is in a room, in the part that may do most.
    pub(crate) fn identity(&self, room: &Room) -> Option<&Identity> {
        let here = self.grants.iter().map(|grant| &grant.identity).filter(|identity| identity.room == *room);
        here.max_by_key(|identity| identity.role)
    }

    /// What it may do in a room.
    fn role(&self, room: &Room) -> Option<Role> {
        self.identity(room).map(|identity| identity.role)
    }

    /// Who speaks in a viewer's namespace. On an open relay a viewer without a token is who the namespace says.
    ///
    /// # Errors
    /// [`Denied`] where it is no viewer's namespace, or not this one's.
    pub(crate) fn may_say(&self, namespace: &Namespace) -> Result<Identity, Denied> {
        let Some((room, viewer)) = Room::viewer_of(namespace) else {
            return Err(Denied::unauthorized(format!("{namespace} is no viewer's namespace")));
        };
        let own = self.grants.iter().map(|grant| &grant.identity);
        let own = own.filter(|identity| identity.room == room && identity.viewer == viewer);
        if let Some(identity) = own.max_by_key(|identity| identity.role) {
            return Ok(identity.clone());
        }
        if self.rules == Rules::Open && self.identity(&room).is_none() {
            return Ok(nameless(room, viewer));
        }
        Err(Denied::unauthorized(format!(
            "only {viewer} may do this in {namespace}: join the room for a token of your own"
        )))
    }

    /// Whether it may publish a namespace, or a track in it.
    ///
    /// # Errors
    /// [`Denied`], with what is needed.
    pub(crate) fn may_publish(&self, namespace: &Namespace) -> Result<(), Denied> {
        let room = Room::of(namespace);
        if let Some(room) = &room {
            if room.feed() == *namespace || room.audience() == *namespace {
                let reason = format!("{namespace} is published by the relay only");
                return Err(Denied::unauthorized(reason));
            }
            if Room::viewer_of(namespace).is_some() {
                return self.may_say(namespace).map(|_| ());
            }
        }
        match (room, self.rules) {
            (_, Rules::Open) => Ok(()),
            (Some(room), _) if room.stage() == *namespace => self.may_host(&room),
            (_, _) => Err(Denied::unauthorized(format!(
                "{namespace} is no stage: publish room/<room>/stage, or run the relay with --open"
            ))),
        }
    }

    fn may_host(&self, room: &Room) -> Result<(), Denied> {
        match self.role(room) {
            Some(Role::Host) => Ok(()),
            Some(Role::Moderator | Role::Viewer) => Err(Denied::unauthorized(format!(
                "the token is not for a host of room {room}: get one with `relay token --room {room} --role host`"
            ))),
            None if !self.grants.is_empty() => Err(Denied::unauthorized(format!(
                "the token is for another room than {room}: get one with `relay token --room {room} --role host`"
            ))),
            None => Err(Denied::unauthorized(format!(
                "room {room} asks for a host token: get one with `relay token --room {room} --role host` and \
                 give it with --token"
            ))),
        }
    }

    /// Whether it may watch a track.
    ///
    /// # Errors
    /// [`Denied`], with what is needed.
    pub(crate) fn may_watch(&self, track: &TrackName) -> Result<(), Denied> {
        if self.rules == Rules::Open {
            return Ok(());
        }
        let Some(room) = Room::of(&track.namespace) else { return self.may_list(&track.namespace) };
        if let Some((room, Feed::Desk)) = Room::feed_of(track) {
            return self.may_watch_desk(&room);
        }
        if room.audience() == track.namespace {
            return self.may_host(&room);
        }
        self.may_list(&track.namespace)
    }

    /// Whether it may watch what moderators see.
    ///
    /// # Errors
    /// [`Denied`], with what is needed.
    pub(crate) fn may_watch_desk(&self, room: &Room) -> Result<(), Denied> {
        match self.role(room) {
            Some(role) if role.moderates() => Ok(()),
            _ if self.rules == Rules::Open => Ok(()),
            _ => Err(Denied::unauthorized(format!(
                "only the host and moderators of room {room} see this: get a token with \
                 `relay token --room {room} --role moderator`"
            ))),
        }
    }

    /// Whether it may be told of a namespace, or of what is below one.
    ///
    /// # Errors
    /// [`Denied`], with what is needed.
    pub(crate) fn may_list(&self, namespace: &Namespace) -> Result<(), Denied> {
        if self.rules == Rules::Open {
            return Ok(());
        }
        let room = Room::of(namespace);
        let in_audience = room
            .as_ref()
            .is_some_and(|room| namespace.starts_with(&room.audience()) && room.audience() != *namespace);
        if in_audience {
            return self.may_say(namespace).map(|_| ());
        }
        if self.rules == Rules::Watched {
            return Ok(());
        }
        match room {
            Some(room) if self.role(&room).is_some() => Ok(()),
            Some(room) => Err(Denied::unauthorized(format!(
                "room {room} is watched with a token only: get one where you found the room"
            ))),
            None => Err(Denied::unauthorized(format!(
                "{namespace} is in no room, and this relay asks for tokens: ask for room/<room>"
            ))),
        }
    }
}

/// Whether `newer` allows all that `older` does, for longer.
fn covers(newer: &Grant, older: &Grant) -> bool {
    let (new, old) = (&newer.identity, &older.identity);
    newer.until >= older.until && (&new.room, &new.viewer) == (&old.room, &old.viewer) && new.role >= old.role
}

fn nameless(room: Room, viewer: ViewerId) -> Identity {
    let name = viewer.to_string().chars().take(shared::room::presence::MAX_NAME_CHARS).collect();
    Identity { room, viewer, name, role: Role::Viewer, standing: Standing::Guest }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use shared::moqt::TokenType;

    use super::*;
    use crate::auth::token::{Claims, sign};

    const NOW: Seconds = Seconds(1_800_000_000);

    fn room(name: &str) -> Room {
        name.parse().expect("a room")
    }

    fn token(keys: &Keys, room: &str, viewer: &str, role: Role, seconds: u64) -> AuthToken {
        let claims = Claims {
            room: room.to_owned(),
            sub: viewer.parse().expect("an ID"),
            role,
            name: None,
            standing: Standing::Member,
            exp: NOW.plus(Duration::from_secs(seconds)),
            iat: Some(NOW),
            nbf: None,
            jti: None,
        };
        AuthToken { kind: TokenType(0), value: sign(keys, &claims).into() }
    }

    fn with(rules: Rules, role: Role) -> Authority {
        let keys = Keys::passing().expect("a key");
        let mut authority = Authority::new(rules);
        let grant = authority.present(&keys, &token(&keys, "a", "me", role, 60), NOW);
        assert!(grant.expect("good").is_some());
        authority
    }

    fn track(namespace: Namespace, name: &'static str) -> TrackName {
        TrackName { namespace, name: Bytes::from_static(name.as_bytes()) }
    }

    #[test]
    fn each_role_may_do_what_is_its_own() {
        let (a, b) = (room("a"), room("b"));
        let me = a.viewer(&"me".parse().expect("an ID"));
        let you = a.viewer(&"you".parse().expect("an ID"));
        let none = Authority::new(Rules::Watched);
        let roles = [Role::Viewer, Role::Moderator, Role::Host].map(|role| with(Rules::Watched, role));
        // Without a token, then viewer, moderator, host.
        let all = || [&none].into_iter().chain(&roles);
        let publish =
            |namespace: &Namespace| all().map(|who| who.may_publish(namespace).is_ok()).collect::<Vec<_>>();
        let watch = |track: TrackName| all().map(|who| who.may_watch(&track).is_ok()).collect::<Vec<_>>();
        assert_eq!(publish(&a.stage()), [false, false, false, true]);
        assert_eq!(publish(&b.stage()), [false; 4]);
        assert_eq!(publish(&me), [false, true, true, true]);
        assert_eq!(publish(&you), [false; 4]);
        assert_eq!(publish(&a.feed()), [false; 4]);
        assert_eq!(publish(&a.audience()), [false; 4]);
        assert_eq!(publish(&Namespace::new(["room", "a"])), [false; 4]);
        assert_eq!(publish(&Namespace::new(["lab"])), [false; 4]);
        assert_eq!(watch(a.catalog()), [true; 4]);
        assert_eq!(watch(a.on_feed(Feed::Chat)), [true; 4]);
        assert_eq!(watch(a.on_feed(Feed::Desk)), [false, false, true, true]);
        assert_eq!(watch(b.on_feed(Feed::Desk)), [false; 4]);
        assert_eq!(watch(a.summary()), [false, false, false, true]);
        assert_eq!(watch(track(me.clone(), "replies")), [false, true, true, true]);
        assert_eq!(watch(track(you.clone(), "say")), [false; 4]);
        // Not by way of what a namespace looks like.
        assert_eq!(watch(track(Namespace::new(["room", "a", "audience", "you", "x"]), "say")), [false; 4]);
        assert_eq!(roles[2].may_say(&me).map(|identity| identity.role), Ok(Role::Host));
        assert!(roles[2].may_say(&you).is_err());
    }

    #[test]
    fn where_a_token_is_asked_of_viewers_only_that_room_is_watched() {
        let viewer = with(Rules::Closed, Role::Viewer);
        let none = Authority::new(Rules::Closed);
        for (track, may) in [(room("a").catalog(), true), (room("b").catalog(), false)] {
            assert_eq!(viewer.may_watch(&track).is_ok(), may, "{track}");
            assert!(none.may_watch(&track).is_err());
        }
        assert!(viewer.may_list(&Namespace::new(["room"])).is_err());
    }

    #[test]
    fn an_open_relay_asks_for_nothing_and_still_checks_what_comes() {
        let keys = Keys::passing().expect("a key");
        let mut open = Authority::new(Rules::Open);
        let me = room("a").viewer(&"me".parse().expect("an ID"));
        assert!(open.may_publish(&Namespace::new(["lab"])).is_ok());
        assert!(open.may_publish(&room("a").stage()).is_ok());
        assert!(open.may_publish(&room("a").feed()).is_err(), "the relay's own");
        assert_eq!(open.may_say(&me).map(|identity| identity.role), Ok(Role::Viewer));
        let forged = token(&Keys::passing().expect("another"), "a", "me", Role::Host, 60);
        let denied = open.present(&keys, &forged, NOW).expect_err("forged");
        assert_eq!(denied.code, RequestCode::Unauthorized);
        let foreign = AuthToken { kind: TokenType(7), value: "x".into() };
        assert_eq!(open.present(&keys, &foreign, NOW), Ok(None));
        let you = token(&keys, "a", "you", Role::Viewer, 60);
        open.present(&keys, &you, NOW).expect("good");
        assert!(open.may_say(&me).is_err(), "who has a token is who that says");
    }

    #[test]
    fn a_newer_token_stands_for_the_older_and_the_number_is_bounded() {
        let keys = Keys::passing().expect("a key");
        let mut authority = Authority::new(Rules::Watched);
        for seconds in [10, 20, 30] {
            authority.present(&keys, &token(&keys, "a", "me", Role::Host, seconds), NOW).expect("good");
        }
        assert_eq!(authority.expires_in(NOW), Some(Duration::from_secs(35)));
        assert_eq!(authority.expires_in(Seconds(NOW.0 + 99)), Some(Duration::ZERO));
        let denied = (0..MAX_GRANTS).find_map(|number| {
            authority.present(&keys, &token(&keys, "a", &format!("v{number}"), Role::Viewer, 60), NOW).err()
        });
        assert_eq!(denied.map(|denied| denied.code), Some(RequestCode::ExcessiveLoad));
        let late = authority.present(&keys, &token(&keys, "a", "me", Role::Host, 0), Seconds(NOW.0 + 6));
        assert_eq!(late.map_err(|denied| denied.session_code()), Err(SessionCode::ExpiredAuthToken));
    }
}
