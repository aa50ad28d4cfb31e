//! Tokens as text: JSON Web Tokens (RFC 7519) in their compact form, and the claims that count here.
//!
//! Written on `ring`, which is in the program anyway: a JWT of two algorithms is one signature over two
//! base64 parts, and whoever can choose nothing else cannot be confused.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use shared::{
    naming::Room,
    room::{Identity, Role, ViewerId, identity::Standing, presence::MAX_NAME_CHARS, text},
};

use super::key::{Algorithm, Keys};

/// Longest token that is looked at, in bytes.
pub(crate) const MAX_TOKEN: usize = 4096;
/// How far clocks of those who make tokens may be off.
pub(crate) const LEEWAY: Duration = Duration::from_secs(5);

/// Seconds since the Unix epoch, as JWT counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Seconds(pub(crate) u64);

impl Seconds {
    pub(crate) fn plus(self, time: Duration) -> Self {
        Self(self.0.saturating_add(time.as_secs()))
    }
}

/// Why a token does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    /// It is no token of this shape.
    #[error("the token is malformed: {0}")]
    Malformed(&'static str),
    /// Nobody with the key signed it.
    #[error("the token is not signed with this relay's key: get one with `relay token`")]
    Forged,
    /// Its time is over.
    #[error("the token has expired: get a new one")]
    Expired,
    /// Its time has not come.
    #[error("the token is not valid yet: wait, or set the clock of whoever made it")]
    Early,
}

/// The claims of a token. `room`, `sub` and `exp` are demanded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// The room.
    pub(crate) room: String,
    /// The viewer's ID.
    pub(crate) sub: ViewerId,
    /// What they may do.
    #[serde(default = "viewer")]
    pub(crate) role: Role,
    /// What others see; the viewer's ID where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// How they came.
    #[serde(default = "member")]
    pub(crate) standing: Standing,
    /// When it ends.
    pub(crate) exp: Seconds,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) iat: Option<Seconds>,
    /// When it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) nbf: Option<Seconds>,
    /// Its own name, by which it can be revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) jti: Option<String>,
}

fn viewer() -> Role {
    Role::Viewer
}

fn member() -> Standing {
    Standing::Member
}

/// What a good token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grant {
    /// Who has it.
    pub(crate) identity: Identity,
    /// From when on it does not count.
    pub(crate) until: Seconds,
    /// When it was made; the epoch where it does not say.
    pub(crate) made: Seconds,
    /// Its own name.
    pub(crate) token: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    typ: Option<String>,
    /// Extensions that are to be understood: none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    crit: Option<serde_json::Value>,
}

/// Signs claims.
pub(crate) fn sign(keys: &Keys, claims: &impl Serialize) -> String {
    let header = Header { alg: keys.algorithm().name().to_owned(), typ: Some("JWT".to_owned()), crit: None };
    let part = |json: Result<Vec<u8>, serde_json::Error>| BASE64.encode(json.unwrap_or_default());
    let mut text = part(serde_json::to_vec(&header));
    text.push('.');
    text.push_str(&part(serde_json::to_vec(claims)));
    let signature = BASE64.encode(keys.sign(text.as_bytes()));
    text.push('.');
    text.push_str(&signature);
    text
}

/// The claims of a text that somebody with the key signed, whatever they say.
///
/// # Errors
/// [`TokenError::Malformed`] or [`TokenError::Forged`].
pub(crate) fn open<T: DeserializeOwned>(keys: &Keys, text: &[u8]) -> Result<T, TokenError> {
    if text.len() > MAX_TOKEN {
        return Err(TokenError::Malformed("it is longer than 4096 bytes"));
    }
    let text = std::str::from_utf8(text).map_err(|_| TokenError::Malformed("it is no text"))?;
    let shape = TokenError::Malformed("it is not of three parts in base64");
    let (signed, signature) = text.rsplit_once('.').ok_or(shape.clone())?;
    let (header, claims) = signed.split_once('.').ok_or(shape.clone())?;
    let decode = |part: &str| BASE64.decode(part).map_err(|_| shape.clone());
    let (header, claims, signature) = (decode(header)?, decode(claims)?, decode(signature)?);
    let header: Header = serde_json::from_slice(&header)
        .map_err(|_| TokenError::Malformed("its header is no JSON with alg"))?;
    let algorithm = [Algorithm::Hs256, Algorithm::EdDsa].into_iter().find(|known| known.name() == header.alg);
    let algorithm = algorithm.ok_or(TokenError::Malformed("its alg is neither HS256 nor EdDSA"))?;
    if header.crit.is_some() {
        return Err(TokenError::Malformed("it demands extensions (crit)"));
    }
    if !keys.verifies(algorithm, signed.as_bytes(), &signature) {
        return Err(TokenError::Forged);
    }
    serde_json::from_slice(&claims).map_err(|_| {
        TokenError::Malformed("its claims lack room, sub (letters, digits, - and _) or exp, or have others")
    })
}

/// What a token says now.
///
/// # Errors
/// [`TokenError`].
pub(crate) fn verify(keys: &Keys, text: &[u8], now: Seconds) -> Result<Grant, TokenError> {
    let claims: Claims = open(keys, text)?;
    let until = claims.exp.plus(LEEWAY);
    if until <= now {
        return Err(TokenError::Expired);
    }
    if claims.nbf.is_some_and(|begin| begin > now.plus(LEEWAY)) {
        return Err(TokenError::Early);
    }
    let room: Room = claims.room.parse().map_err(|_| TokenError::Malformed("its room is no room's name"))?;
    let name = match claims.name {
        Some(name) => text::clean(&name, MAX_NAME_CHARS)
            .map_err(|_| TokenError::Malformed("its name cannot be shown, or has more than 24 characters"))?,
        None => claims.sub.to_string().chars().take(MAX_NAME_CHARS).collect(),
    };
    let identity = Identity { room, viewer: claims.sub, name, role: claims.role, standing: claims.standing };
    Ok(Grant { identity, until, made: claims.iat.unwrap_or(Seconds(0)), token: claims.jti })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Seconds = Seconds(1_800_000_000);

    fn claims() -> Claims {
        Claims {
            room: "class-7".to_owned(),
            sub: "v-1".parse().expect("an ID"),
            role: Role::Host,
            name: Some("  Ada\tL ".to_owned()),
            standing: Standing::Member,
            exp: NOW.plus(Duration::from_secs(60)),
            iat: Some(NOW),
            nbf: None,
            jti: Some("t".to_owned()),
        }
    }

    fn raw(header: &str, body: &str, signature: &[u8]) -> String {
        format!("{}.{}.{}", BASE64.encode(header), BASE64.encode(body), BASE64.encode(signature))
    }

    /// Signed with the key, whatever it says.
    fn signed(keys: &Keys, header: &str, body: &str) -> String {
        let text = format!("{}.{}", BASE64.encode(header), BASE64.encode(body));
        let signature = BASE64.encode(keys.sign(text.as_bytes()));
        format!("{text}.{signature}")
    }

    #[test]
    fn what_was_signed_comes_back() {
        let keys = Keys::passing().expect("a key");
        let grant = verify(&keys, sign(&keys, &claims()).as_bytes(), NOW).expect("good");
        assert_eq!(grant.identity.name, "Ada L");
        assert_eq!((grant.identity.role, grant.until), (Role::Host, Seconds(NOW.0 + 65)));
        let bare = r#"{"room":"r","sub":"site-user","exp":1800000060,"aud":"x"}"#;
        let grant = verify(&keys, signed(&keys, r#"{"alg":"HS256"}"#, bare).as_bytes(), NOW).expect("good");
        assert_eq!((grant.identity.role, &*grant.identity.name), (Role::Viewer, "site-user"));
        assert_eq!((grant.identity.standing, grant.made), (Standing::Member, Seconds(0)));
    }

    #[test]
    fn a_token_that_is_bad_in_any_way_is_refused_with_why() {
        let keys = Keys::passing().expect("a key");
        let other = Keys::passing().expect("another key");
        let good = sign(&keys, &claims());
        let body = serde_json::to_string(&claims()).expect("JSON");
        let hs = r#"{"alg":"HS256"}"#;
        let with = |change: fn(&mut Claims)| {
            let mut claims = claims();
            change(&mut claims);
            sign(&keys, &claims)
        };
        use TokenError::{Early, Expired, Forged, Malformed};
        let malformed = Malformed("");
        for (text, why) in [
            (String::new(), &malformed),
            ("..".to_owned(), &malformed),
            ("a.b.c.d".to_owned(), &malformed),
            ("x".repeat(64 << 10), &malformed),
            (good[..good.len() - 11].to_owned(), &Forged),
            (good.rsplit_once('.').expect("parts").0.to_owned() + ".", &Forged),
            (sign(&other, &claims()), &Forged),
            (raw(r#"{"alg":"none"}"#, &body, b""), &malformed),
            (raw(r#"{"alg":"None"}"#, &body, b""), &malformed),
            (raw(hs, &body, &[0; 32]), &Forged),
            (raw(r#"{"alg":"EdDSA"}"#, &body, &[0; 64]), &Forged),
            (signed(&keys, r#"{"alg":"RS256"}"#, &body), &malformed),
            (signed(&keys, r#"{"alg":"EdDSA"}"#, &body), &Forged),
            (signed(&keys, r#"{"alg":"HS256","crit":["b64"]}"#, &body), &malformed),
            (signed(&keys, hs, r#"{"room":"r","sub":"v"}"#), &malformed),
            (signed(&keys, hs, r#"{"room":"r","sub":"v","exp":1e99}"#), &malformed),
            (signed(&keys, hs, r#"{"room":"r","sub":"v","exp":-1}"#), &malformed),
            (signed(&keys, hs, r#"{"room":"r","sub":"v/../w","exp":1800000060}"#), &malformed),
            (signed(&keys, hs, r#"{"room":"r","sub":"v","exp":1800000060,"role":"king"}"#), &malformed),
            (with(|claims| claims.room = "a/b".to_owned()), &malformed),
            (with(|claims| claims.name = Some("a\u{202e}b".to_owned())), &malformed),
            (with(|claims| claims.exp = Seconds(NOW.0 - 5)), &Expired),
            (with(|claims| claims.nbf = Some(Seconds(NOW.0 + 6))), &Early),
        ] {
            let error = verify(&keys, text.as_bytes(), NOW).expect_err(&text);
            assert_eq!(std::mem::discriminant(&error), std::mem::discriminant(why), "{text:.80}: {error}");
        }
        for exp in [NOW.0 - 4, u64::MAX] {
            let token = sign(&keys, &Claims { exp: Seconds(exp), ..claims() });
            assert!(verify(&keys, token.as_bytes(), NOW).is_ok(), "{exp}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_comes_panics_or_counts(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let keys = Keys::passing().expect("a key");
            prop_assert!(verify(&keys, &bytes, NOW).is_err());
        }

        #[test]
        fn a_changed_token_never_counts(at in 0_usize..400, bit in 0_u8..6) {
            let keys = Keys::passing().expect("a key");
            let good = sign(&keys, &claims());
            let mut bytes = good.clone().into_bytes();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            prop_assert!(verify(&keys, &bytes, NOW).is_err());
        }

        #[test]
        fn claims_of_any_shape_do_not_panic(body in "\\PC{0,200}", exp in any::<i128>()) {
            let keys = Keys::passing().expect("a key");
            let _ = verify(&keys, signed(&keys, r#"{"alg":"HS256"}"#, &body).as_bytes(), NOW);
            let body = format!(r#"{{"room":"r","sub":"v","exp":{exp}}}"#);
            let _ = verify(&keys, signed(&keys, r#"{"alg":"HS256"}"#, &body).as_bytes(), NOW);
        }
    }
}
