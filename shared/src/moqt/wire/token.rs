//! The token structure as bytes (draft-18 §10.2.2).

use bytes::{Bytes, BytesMut};

use super::{
    WireError,
    field::{Fields, put_integer},
};
use crate::moqt::{
    SessionCode,
    token::{AuthToken, TokenType},
};

/// How a token names its alias.
mod alias_type {
    pub(super) const DELETE: u64 = 0;
    pub(super) const REGISTER: u64 = 1;
    pub(super) const USE_ALIAS: u64 = 2;
    pub(super) const USE_VALUE: u64 = 3;
}

/// A short name for a token in one session, from one side (draft-18 §10.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenAlias(pub u64);

/// What a message says of a token (draft-18 §10.2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// The alias is free again.
    Delete(TokenAlias),
    /// Here is a token, and it has this alias from now on.
    Register(TokenAlias, AuthToken),
    /// The token of this alias.
    UseAlias(TokenAlias),
    /// Here is a token.
    UseValue(AuthToken),
}

impl Token {
    /// Reads the structure. The value is copied, since it may be kept for long.
    ///
    /// # Errors
    /// KEY_VALUE_FORMATTING_ERROR, as the draft asks for.
    pub(super) fn decode(bytes: Bytes) -> Result<Self, WireError> {
        let mut fields = Fields::new("authorization token", bytes);
        Self::read(&mut fields)
            .map_err(|error| WireError { code: SessionCode::KeyValueFormattingError, ..error })
    }

    fn read(fields: &mut Fields) -> Result<Self, WireError> {
        let alias = |fields: &mut Fields| fields.integer("alias").map(TokenAlias);
        let token = |fields: &mut Fields| {
            let kind = TokenType(fields.integer("token type")?);
            Ok::<_, WireError>(AuthToken { kind, value: Bytes::copy_from_slice(&fields.rest()) })
        };
        let read = match fields.integer("alias type")? {
            alias_type::DELETE => Self::Delete(alias(fields)?),
            alias_type::REGISTER => Self::Register(alias(fields)?, token(fields)?),
            alias_type::USE_ALIAS => Self::UseAlias(alias(fields)?),
            alias_type::USE_VALUE => Self::UseValue(token(fields)?),
            other => {
                return Err(fields.violation(format_args!("alias type {other:#x} is not in draft-18")));
            }
        };
        fields.end()?;
        Ok(read)
    }

    /// The structure's bytes.
    pub(super) fn encode(&self) -> Bytes {
        let mut output = BytesMut::new();
        match self {
            Self::Delete(alias) => {
                put_integer(alias_type::DELETE, &mut output);
                put_integer(alias.0, &mut output);
            }
            Self::Register(alias, token) => {
                put_integer(alias_type::REGISTER, &mut output);
                put_integer(alias.0, &mut output);
                put_token(token, &mut output);
            }
            Self::UseAlias(alias) => {
                put_integer(alias_type::USE_ALIAS, &mut output);
                put_integer(alias.0, &mut output);
            }
            Self::UseValue(token) => {
                put_integer(alias_type::USE_VALUE, &mut output);
                put_token(token, &mut output);
            }
        }
        output.freeze()
    }
}

fn put_token(token: &AuthToken, output: &mut BytesMut) {
    put_integer(token.kind.0, output);
    output.extend_from_slice(&token.value);
}
