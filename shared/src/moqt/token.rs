//! Authorization tokens (draft-18 §10.2.2).

use std::fmt;

use bytes::Bytes;

/// What a token's value is (draft-18 §15.6). 0: both sides know it otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TokenType(pub u64);

/// What allows its sender to do something (draft-18 §10.2.2). Two are the same where type and value are.
/// It does not print its value, since that may be a secret.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuthToken {
    /// What the value is.
    pub kind: TokenType,
    /// The token itself, in bytes that the type gives a meaning.
    pub value: Bytes,
}

impl AuthToken {
    /// A JSON Web Token, as the room's relay takes it: of type 0.
    pub fn jwt(text: &str) -> Self {
        Self { kind: TokenType(0), value: Bytes::copy_from_slice(text.trim().as_bytes()) }
    }
}

impl fmt::Debug for AuthToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthToken")
            .field("kind", &self.kind.0)
            .field("value_bytes", &self.value.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_does_not_print_its_value() {
        let token = AuthToken { kind: TokenType(7), value: "secret".into() };
        assert_eq!(format!("{token:?}"), "AuthToken { kind: 7, value_bytes: 6, .. }");
    }
}
