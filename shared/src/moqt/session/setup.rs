//! What stands in SETUP (draft-18 §10.3).

use bytes::Bytes;

use super::violation;
use crate::moqt::{
    Config, Role, SessionCode,
    track::IMPLEMENTATION,
    wire::{Setup, WireError},
};

/// Our SETUP. PATH and AUTHORITY go out from a client on raw QUIC only.
pub(super) fn ours(config: &Config, is_webtransport: bool) -> Setup {
    let has_url = config.role == Role::Client && !is_webtransport;
    let option = |value: &Option<String>| {
        value.as_ref().filter(|v| has_url && !v.is_empty()).map(|v| Bytes::from(v.clone()))
    };
    Setup {
        path: option(&config.path),
        authority: option(&config.authority),
        max_auth_token_cache_size: 0,
        tokens: Vec::new(),
        implementation: Some(IMPLEMENTATION),
    }
}

/// Checks the peer's SETUP and takes its PATH.
pub(super) fn check(setup: &Setup, role: Role, is_webtransport: bool) -> Result<Option<String>, WireError> {
    let wrong = |code, reason: &str| Err(WireError { code, ..violation(reason) });
    let from_client = role == Role::Server && !is_webtransport;
    if setup.path.is_some() && !from_client {
        return wrong(SessionCode::InvalidPath, "PATH is only for clients on raw QUIC");
    }
    if setup.authority.is_some() && !from_client {
        return wrong(SessionCode::InvalidAuthority, "AUTHORITY is only for clients on raw QUIC");
    }
    if let Some(authority) = &setup.authority
        && (authority.is_empty() || !authority.iter().all(|b| b.is_ascii_graphic() && !b"/?#".contains(b)))
    {
        return wrong(SessionCode::MalformedAuthority, "AUTHORITY is not host[:port]");
    }
    let Some(path) = &setup.path else { return Ok(None) };
    match std::str::from_utf8(path) {
        Ok(text)
            if (text.is_empty() || text.starts_with(['/', '?']))
                && text.bytes().all(|b| b.is_ascii_graphic() && b != b'#') =>
        {
            Ok(Some(text.to_owned()))
        }
        _ => wrong(SessionCode::MalformedPath, "PATH is not the path and query of a URI"),
    }
}
