//! Where to connect: the address that was given, and where relays send to since. Pure.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use url::Url;

/// Moves within [`WINDOW`] past which relays are held to send in a circle.
const MOST_MOVES: usize = 8;
/// How long a move is remembered.
const WINDOW: Duration = Duration::from_secs(60);

/// A client's way to its relay. A relay that goes away may send it to another one (draft-18 §10.4); where
/// that one cannot be reached, the address that was given at first is tried in turn with it.
#[derive(Debug, Clone)]
pub struct Route {
    home: Url,
    sent: Option<Url>,
    is_home_next: bool,
    moves: VecDeque<Instant>,
}

/// Why it does not go where a relay sends it. It stays where it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RouteError {
    /// The relay's address cannot be used.
    #[error(
        "the relay sends to {0:?}, which is no relay's address: it must be like moqt://host:port or https://host:port"
    )]
    NoAddress(String),
    /// Too many moves.
    #[error("relays sent on {MOST_MOVES} times within {} s: they seem to send in a circle", WINDOW.as_secs())]
    Circle,
}

impl Route {
    /// To the address that was given.
    pub fn new(home: Url) -> Self {
        Self { home, sent: None, is_home_next: false, moves: VecDeque::new() }
    }

    /// Where to connect now.
    pub fn url(&self) -> &Url {
        self.sent.as_ref().filter(|_| !self.is_home_next).unwrap_or(&self.home)
    }

    /// A relay sends on, to the URI of its GOAWAY; an empty one means the same address again
    /// (draft-18 §10.4).
    ///
    /// # Errors
    /// [`RouteError`] where it is not to be followed: the address stays as it was.
    pub fn send_on(&mut self, now: Instant, uri: &str) -> Result<(), RouteError> {
        let next = match uri {
            "" => None,
            _ => Some(address(uri).ok_or_else(|| RouteError::NoAddress(shortened(uri)))?),
        };
        while self.moves.front().is_some_and(|&at| now.saturating_duration_since(at) > WINDOW) {
            self.moves.pop_front();
        }
        if self.moves.len() >= MOST_MOVES {
            return Err(RouteError::Circle);
        }
        self.moves.push_back(now);
        if let Some(next) = next {
            self.sent = Some(next);
            self.is_home_next = false;
        }
        Ok(())
    }

    /// The address could not be reached: the other one is next, where there are two.
    pub fn failed(&mut self) {
        self.is_home_next = self.sent.is_some() && !self.is_home_next;
    }
}

/// A URI that names a relay.
fn address(uri: &str) -> Option<Url> {
    let url: Url = uri.parse().ok()?;
    let is_relay =
        matches!(url.scheme(), "moqt" | "https") && url.host_str().is_some_and(|host| !host.is_empty());
    is_relay.then_some(url)
}

/// The front of what a peer wrote, for an error's text.
fn shortened(uri: &str) -> String {
    uri.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route() -> Route {
        Route::new("moqt://home:4443/live".parse().expect("a URL"))
    }

    #[test]
    fn what_cannot_be_reached_is_tried_in_turn_with_home() {
        let mut route = route();
        route.failed();
        assert_eq!(route.url().as_str(), "moqt://home:4443/live");
        route.send_on(Instant::now(), "https://next:1").expect("an address");
        for expected in ["https://next:1/", "moqt://home:4443/live", "https://next:1/"] {
            assert_eq!(route.url().as_str(), expected);
            route.failed();
        }
        route.send_on(Instant::now(), "moqt://third").expect("an address");
        assert_eq!(route.url().as_str(), "moqt://third");
        route.send_on(Instant::now(), "").expect("the same again");
        assert_eq!(route.url().as_str(), "moqt://third");
    }

    #[test]
    fn what_is_no_relay_is_not_followed() {
        let mut route = route();
        for uri in ["next", "http://next", "moqt://", "file:///etc/passwd", "moqt:next", "https://[::"] {
            let refused = route.send_on(Instant::now(), uri);
            assert_eq!(refused, Err(RouteError::NoAddress(uri.to_owned())), "{uri}");
            assert_eq!(route.url().as_str(), "moqt://home:4443/live");
        }
        let long = "x".repeat(8192);
        assert!(route.send_on(Instant::now(), &long).is_err_and(|error| error.to_string().len() < 300));
    }

    #[test]
    fn a_circle_is_left_and_followed_again_a_minute_later() {
        let (mut route, start) = (route(), Instant::now());
        for step in 0..MOST_MOVES {
            route.send_on(start, &format!("moqt://relay{step}")).expect("followed");
        }
        let last = route.url().clone();
        assert_eq!(route.send_on(start + WINDOW, "moqt://once-more"), Err(RouteError::Circle));
        assert_eq!(*route.url(), last);
        route.send_on(start + WINDOW + Duration::from_millis(1), "moqt://later").expect("followed");
    }
}
