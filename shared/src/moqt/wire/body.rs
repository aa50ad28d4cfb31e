//! What of control messages takes more than a row of fields.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use moq_transport::coding::{KeyValuePair, KeyValuePairs, Value};

use super::{
    Goaway, Redirect, RequestError, Setup, Token, WireError, WireFetchRange,
    field::{
        Fields, MAX_URI_BYTES, millis, put_bytes, put_integer, put_location, put_millis, put_reason,
        put_track,
    },
};
use crate::moqt::{Grease, GroupId, Location, ObjectId, RequestCode};

/// Fetch types (draft-18 §10.12).
mod fetch_type {
    pub(super) const STANDALONE: u64 = 1;
    pub(super) const RELATIVE: u64 = 2;
    pub(super) const ABSOLUTE: u64 = 3;
}

/// Setup Options (draft-18 §10.3.1).
mod option {
    pub(super) const PATH: u64 = 0x01;
    pub(super) const AUTHORIZATION_TOKEN: u64 = 0x03;
    pub(super) const MAX_AUTH_TOKEN_CACHE_SIZE: u64 = 0x04;
    pub(super) const AUTHORITY: u64 = 0x05;
    pub(super) const MOQT_IMPLEMENTATION: u64 = 0x07;
}

impl Setup {
    pub(super) fn decode(fields: &mut Fields) -> Result<Self, WireError> {
        let mut setup = Self::default();
        let mut cache_size = None;
        for KeyValuePair { key, value } in fields.pairs()? {
            let known = match (key, value) {
                (option::PATH, Value::BytesValue(bytes)) => setup.path.replace(bytes.into()).is_none(),
                (option::AUTHORIZATION_TOKEN, Value::BytesValue(bytes)) => {
                    match Token::decode(bytes.into())? {
                        Token::Delete(_) | Token::UseAlias(_) => {
                            let reason = "a token in it refers to one that cannot have come yet";
                            return Err(fields.violation(reason));
                        }
                        token @ (Token::Register(..) | Token::UseValue(_)) => setup.tokens.push(token),
                    }
                    true
                }
                (option::MAX_AUTH_TOKEN_CACHE_SIZE, Value::IntValue(size)) => {
                    cache_size.replace(size).is_none()
                }
                (option::AUTHORITY, Value::BytesValue(bytes)) => {
                    setup.authority.replace(bytes.into()).is_none()
                }
                (option::MOQT_IMPLEMENTATION, Value::BytesValue(bytes)) => {
                    setup.implementation.replace(bytes.into()).is_none()
                }
                // Unknown options are ignored, however often they come.
                (_, Value::IntValue(_) | Value::BytesValue(_)) => true,
            };
            if !known {
                return Err(fields.violation(format_args!("option {key:#x} comes twice")));
            }
        }
        setup.max_auth_token_cache_size = cache_size.unwrap_or(0);
        Ok(setup)
    }

    pub(super) fn encode(&self, output: &mut BytesMut) -> Result<(), WireError> {
        let bytes = |key: u64, bytes: &Bytes| KeyValuePair::new_bytes(key, bytes.to_vec());
        let mut pairs = KeyValuePairs::new();
        pairs.0.extend(self.path.iter().map(|path| bytes(option::PATH, path)));
        pairs.0.extend(self.tokens.iter().map(|token| bytes(option::AUTHORIZATION_TOKEN, &token.encode())));
        if self.max_auth_token_cache_size > 0 {
            pairs.set_intvalue(option::MAX_AUTH_TOKEN_CACHE_SIZE, self.max_auth_token_cache_size);
        }
        pairs.0.extend(self.authority.iter().map(|authority| bytes(option::AUTHORITY, authority)));
        pairs.0.extend(self.implementation.iter().map(|name| bytes(option::MOQT_IMPLEMENTATION, name)));
        pairs.0.extend(self.grease.map(|Grease(n)| {
            let key = 0x7f_u64.saturating_mul(n.into()).saturating_add(0x9d);
            // An odd option has bytes, an even one an integer.
            if key % 2 == 0 { KeyValuePair::new_int(key, n.into()) } else { bytes(key, &Bytes::new()) }
        }));
        let encoded = pairs
            .encode_bounded()
            .map_err(|error| WireError::ours(format!("SETUP's options cannot be sent: {error}")))?;
        output.extend_from_slice(&encoded);
        Ok(())
    }
}

impl Goaway {
    pub(super) fn decode(fields: &mut Fields) -> Result<Self, WireError> {
        Ok(Self {
            uri: fields.uri()?,
            timeout: fields.millis("timeout")?,
            request: if fields.is_empty() { None } else { Some(fields.request()?) },
        })
    }

    pub(super) fn encode(&self, output: &mut BytesMut) -> Result<(), WireError> {
        put_uri(&self.uri, output)?;
        put_millis(self.timeout, output);
        if let Some(request) = self.request {
            put_integer(request.0, output);
        }
        Ok(())
    }
}

fn put_uri(uri: &str, output: &mut BytesMut) -> Result<(), WireError> {
    if uri.len() > MAX_URI_BYTES {
        return Err(WireError::ours(format!(
            "a URI of {} bytes is longer than the {MAX_URI_BYTES} that the draft allows",
            uri.len()
        )));
    }
    put_bytes(uri.as_bytes(), output);
    Ok(())
}

impl WireFetchRange {
    pub(super) fn decode(fields: &mut Fields) -> Result<Self, WireError> {
        Ok(match fields.integer("fetch type")? {
            fetch_type::STANDALONE => Self::Standalone {
                track: fields.track()?,
                start: fields.location("start location")?,
                end: decode_end(fields)?,
            },
            fetch_type::RELATIVE => {
                Self::Relative { joining: fields.request()?, groups: fields.integer("joining start")? }
            }
            fetch_type::ABSOLUTE => Self::Absolute {
                joining: fields.request()?,
                group: GroupId(fields.integer("joining start")?),
            },
            other => return Err(fields.violation(format_args!("fetch type {other:#x} is not known"))),
        })
    }

    pub(super) fn encode(&self, output: &mut BytesMut) -> Result<(), WireError> {
        match self {
            Self::Standalone { track, start, end } => {
                put_integer(fetch_type::STANDALONE, output);
                put_track(track, output)?;
                put_location(*start, output);
                put_end(*end, output);
            }
            Self::Relative { joining, groups } => {
                put_integer(fetch_type::RELATIVE, output);
                put_integer(joining.0, output);
                put_integer(*groups, output);
            }
            Self::Absolute { joining, group } => {
                put_integer(fetch_type::ABSOLUTE, output);
                put_integer(joining.0, output);
                put_integer(group.0, output);
            }
        }
        Ok(())
    }
}

/// The last location of a range. On the wire its object is one more, and 0 for a whole group.
pub(super) fn decode_end(fields: &mut Fields) -> Result<Location, WireError> {
    let end = fields.location("end location")?;
    Ok(Location { group: end.group, object: ObjectId(end.object.0.wrapping_sub(1)) })
}

pub(super) fn put_end(end: Location, output: &mut BytesMut) {
    put_location(Location { group: end.group, object: ObjectId(end.object.0.wrapping_add(1)) }, output);
}

impl RequestError {
    pub(super) fn decode(fields: &mut Fields) -> Result<Self, WireError> {
        let code = RequestCode(fields.integer("error code")?);
        let retry = fields.integer("retry interval")?;
        let reason = fields.reason()?;
        let redirect = match code {
            RequestCode::Redirect => Some(Redirect { uri: fields.uri()?, track: fields.track()? }),
            _ => None,
        };
        Ok(Self { code, retry_after: retry.checked_sub(1).map(Duration::from_millis), reason, redirect })
    }

    pub(super) fn encode(&self, output: &mut BytesMut) -> Result<(), WireError> {
        put_integer(self.code.0, output);
        put_integer(self.retry_after.map_or(0, |retry| millis(retry).saturating_add(1)), output);
        put_reason(&self.reason, output);
        match (&self.redirect, self.code) {
            (Some(redirect), RequestCode::Redirect) => {
                put_uri(&redirect.uri, output)?;
                put_track(&redirect.track, output)
            }
            // REDIRECT is never without its structure; an empty one says "the same again".
            (None, RequestCode::Redirect) => {
                put_uri("", output)?;
                put_track(&Redirect::to("").track, output)
            }
            (None, _) => Ok(()),
            (Some(_), other) => {
                Err(WireError::ours(format!("a REQUEST_ERROR with {other} cannot carry a redirect")))
            }
        }
    }
}
