//! The room's door: whoever comes without a token gets one of their own, as a guest, and is the same viewer
//! again for as long as they keep what they were given.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::{
    naming::Room,
    room::{Refusal, Role, ViewerId, identity::Standing, presence::MAX_NAME_CHARS, text},
};

use super::{
    Auth, KeyError,
    key::random_name,
    token::{Claims, Seconds, open, sign},
};

/// How long a guest's token counts. The page gets a new one before.
const TTL: Duration = Duration::from_secs(12 * 3600);

/// What a guest was told and shows when coming back. It is no token: it lacks what those have.
#[derive(Debug, Serialize, Deserialize)]
struct Known {
    visitor: ViewerId,
    room: String,
    name: String,
}

/// Who came in.
#[derive(Debug)]
pub(crate) struct Admitted {
    /// The token.
    pub(crate) token: String,
    /// Whom it is for.
    pub(crate) viewer: ViewerId,
    /// The name that others see.
    pub(crate) name: String,
    /// When the token ends.
    pub(crate) expires: Seconds,
    /// To be shown when coming back.
    pub(crate) pass: String,
}

/// Why nobody is let in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotAdmitted {
    /// The name cannot be shown.
    #[error("the name cannot be shown: use 1 to {MAX_NAME_CHARS} characters, no control characters")]
    Name(Refusal),
    /// No ID can be made.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl Auth {
    /// Lets a guest in: the one whom `pass` names where this relay wrote it for this room, else a new one. A
    /// name that is given takes the place of the one before.
    ///
    /// # Errors
    /// [`NotAdmitted`].
    pub(crate) fn admit(
        &self,
        room: &Room,
        name: Option<&str>,
        pass: Option<&str>,
    ) -> Result<Admitted, NotAdmitted> {
        let name =
            name.map(|name| text::clean(name, MAX_NAME_CHARS)).transpose().map_err(NotAdmitted::Name)?;
        let known = pass.and_then(|pass| open::<Known>(&self.keys, pass.as_bytes()).ok());
        let known = known.filter(|known| known.room == room.to_string());
        let (viewer, before) = match known {
            Some(known) => (known.visitor, Some(known.name)),
            None => (format!("g{}", random_name()?).parse().map_err(|_| KeyError::Random)?, None),
        };
        let name = name.or(before).unwrap_or_else(|| {
            let letters: String =
                viewer.to_string().chars().filter(char::is_ascii_alphanumeric).skip(1).take(4).collect();
            format!("Guest {letters}")
        });
        let begin = (self.now)();
        let expires = begin.plus(TTL);
        let claims = Claims {
            room: room.to_string(),
            sub: viewer.clone(),
            role: Role::Viewer,
            name: Some(name.clone()),
            standing: Standing::Guest,
            exp: expires,
            iat: Some(begin),
            nbf: None,
            jti: Some(random_name()?),
        };
        let known = Known { visitor: viewer.clone(), room: room.to_string(), name: name.clone() };
        let (token, pass) = (sign(&self.keys, &claims), sign(&self.keys, &known));
        Ok(Admitted { token, viewer, name, expires, pass })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Config,
        auth::{Keys, token::verify},
    };

    #[test]
    fn a_guest_who_comes_back_is_the_same_and_nobody_else_is() {
        let auth = Auth::new(&Config::new(), Keys::passing().expect("a key"));
        let (demo, other): (Room, Room) = ("demo".parse().expect("a room"), "other".parse().expect("a room"));
        let first = auth.admit(&demo, None, None).expect("admitted");
        assert!(first.name.starts_with("Guest "), "{}", first.name);
        let grant = verify(&auth.keys, first.token.as_bytes(), (auth.now)()).expect("a token");
        assert_eq!((grant.identity.role, grant.identity.standing), (Role::Viewer, Standing::Guest));
        assert_eq!((&grant.identity.viewer, &grant.identity.room), (&first.viewer, &demo));

        let again = auth.admit(&demo, Some(" Ada "), Some(&first.pass)).expect("admitted");
        assert_eq!((&again.viewer, again.name.as_str()), (&first.viewer, "Ada"));
        let later = auth.admit(&demo, None, Some(&again.pass)).expect("admitted");
        assert_eq!((&later.viewer, later.name.as_str()), (&first.viewer, "Ada"));

        // A pass of another room, of another relay, a token, and no pass at all make somebody new.
        let foreign = Auth::new(&Config::new(), Keys::passing().expect("a key"));
        let forged = foreign.admit(&demo, None, None).expect("admitted").pass;
        let abroad = auth.admit(&other, None, None).expect("admitted").pass;
        for pass in [forged.as_str(), &abroad, &first.token, "x.y.z", ""] {
            assert_ne!(auth.admit(&demo, None, Some(pass)).expect("admitted").viewer, first.viewer, "{pass}");
        }
        // And a pass is no token.
        assert!(verify(&auth.keys, first.pass.as_bytes(), (auth.now)()).is_err());
    }

    #[test]
    fn a_name_that_cannot_be_shown_is_refused() {
        let auth = Auth::new(&Config::new(), Keys::passing().expect("a key"));
        let room: Room = "demo".parse().expect("a room");
        for name in ["", "  ", "a\u{202e}b", &"x".repeat(25)] {
            assert!(matches!(auth.admit(&room, Some(name), None), Err(NotAdmitted::Name(_))), "{name:?}");
        }
    }
}
