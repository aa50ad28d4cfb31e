//! Where peers go when the relay stops.

use std::{fmt, str::FromStr};

use shared::transport::Kind;
use url::Url;

use super::ValueError;

/// Another relay, written as `host:port`, for both transports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Successor(String);

impl Successor {
    /// Its URI for a peer that came over this transport (draft-18 §10.4: of the same scheme).
    pub fn uri(&self, kind: Kind) -> String {
        let scheme = match kind {
            Kind::WebTransport => "https",
            Kind::Quic | Kind::Memory => "moqt",
        };
        format!("{scheme}://{}", self.0)
    }
}

impl FromStr for Successor {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let url: Option<Url> = format!("moqt://{text}").parse().ok();
        let is_place = |url: &Url| {
            let rest = (url.path(), url.query(), url.fragment(), url.username(), url.password());
            url.host_str().is_some_and(|host| !host.is_empty()) && rest == ("", None, None, "", None)
        };
        match url.filter(is_place) {
            Some(_) => Ok(Self(text.to_owned())),
            None => Err(ValueError::new(format!("{text:?} is no relay: write host:port, without moqt://"))),
        }
    }
}

impl fmt::Display for Successor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_named_in_the_scheme_of_whoever_asks() {
        for text in ["relay2.example:4443", "192.0.2.1:1", "[2001:db8::1]:4443", "relay2.example"] {
            let successor: Successor = text.parse().expect("a relay");
            assert_eq!(successor.uri(Kind::Quic), format!("moqt://{text}"));
            assert_eq!(successor.uri(Kind::WebTransport), format!("https://{text}"));
        }
        for text in ["", "moqt://relay2:1", "relay2:port", "relay2:1/x", "me@relay2:1", "relay2:1?a", "a b:1"]
        {
            let error = text.parse::<Successor>().expect_err(text);
            assert!(error.to_string().contains("host:port"), "{error}");
        }
    }
}
