//! What stands in SETUP (draft-18 §10.3).

use std::collections::HashSet;

use bytes::Bytes;

use super::violation;
use crate::moqt::{
    AuthToken, Config, Role, SessionCode,
    wire::{Setup, Token, WireError},
};

/// What the peer said of itself in SETUP.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Peer {
    /// PATH, where it gave one.
    pub(crate) path: Option<String>,
    /// AUTHORITY, where it gave one.
    pub(crate) authority: Option<String>,
    /// MOQT_IMPLEMENTATION, where it gave one; what is not UTF-8 in it is replaced.
    pub(crate) implementation: Option<String>,
    /// Its tokens.
    pub(crate) tokens: Vec<AuthToken>,
}

/// Our SETUP. PATH and AUTHORITY go out from a client on raw QUIC only. Tokens are not registered in it:
/// what the peer keeps of them is not known yet.
pub(super) fn ours(config: &Config, is_webtransport: bool) -> Setup {
    let has_url = config.role == Role::Client && !is_webtransport;
    let option = |value: &Option<String>| {
        value.as_ref().filter(|v| has_url && !v.is_empty()).map(|v| Bytes::from(v.clone()))
    };
    let mut said = HashSet::new();
    let tokens = config.tokens.iter().filter(|token| said.insert(*token));
    Setup {
        path: option(&config.path),
        authority: option(&config.authority),
        max_auth_token_cache_size: config.max_auth_token_cache_bytes,
        tokens: tokens.map(|token| Token::UseValue(token.clone())).collect(),
        implementation: config.implementation.as_ref().map(|name| Bytes::from(name.clone())),
        grease: config.grease,
    }
}

/// Checks the peer's SETUP. Its tokens are for the cache to take.
pub(super) fn check(setup: &Setup, role: Role, is_webtransport: bool) -> Result<Peer, WireError> {
    let wrong = |code, reason: &str| WireError { code, ..violation(reason) };
    let from_client = role == Role::Server && !is_webtransport;
    if setup.path.is_some() && !from_client {
        return Err(wrong(SessionCode::InvalidPath, "PATH is only for clients on raw QUIC"));
    }
    if setup.authority.is_some() && !from_client {
        return Err(wrong(SessionCode::InvalidAuthority, "AUTHORITY is only for clients on raw QUIC"));
    }
    let authority = setup.authority.as_ref().map(|authority| {
        uri_text(authority, b"/?#")
            .filter(|text| host_of(text).is_some_and(|host| !host.is_empty()))
            .ok_or_else(|| wrong(SessionCode::MalformedAuthority, "AUTHORITY is not host[:port]"))
    });
    let path = setup.path.as_ref().map(|path| {
        uri_text(path, b"#[]")
            .filter(|text| text.is_empty() || text.starts_with(['/', '?']))
            .ok_or_else(|| wrong(SessionCode::MalformedPath, "PATH is not the path and query of a URI"))
    });
    let name = setup.implementation.as_ref();
    Ok(Peer {
        path: path.transpose()?,
        authority: authority.transpose()?,
        implementation: name.map(|name| String::from_utf8_lossy(name).into_owned()),
        tokens: Vec::new(),
    })
}

/// The host in an authority: after a user, before a port.
fn host_of(authority: &str) -> Option<&str> {
    let host = authority.rsplit('@').next()?;
    match host.strip_prefix('[') {
        Some(address) => address.split_once(']').map(|(address, _)| address),
        None => host.split(':').next(),
    }
}

/// Characters of a URI (RFC 3986 §2), none of `forbidden` among them and each `%` with two digits.
fn uri_text(bytes: &[u8], forbidden: &[u8]) -> Option<String> {
    let mut rest = bytes;
    while let [first, after @ ..] = rest {
        let is_uri =
            first.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(first) && !forbidden.contains(first);
        rest = match after {
            _ if !is_uri => return None,
            [high, low, after @ ..] if *first == b'%' => {
                if !(high.is_ascii_hexdigit() && low.is_ascii_hexdigit()) {
                    return None;
                }
                after
            }
            _ if *first == b'%' => return None,
            _ => after,
        };
    }
    String::from_utf8(bytes.to_vec()).ok()
}
