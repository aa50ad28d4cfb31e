//! `POST /api/rooms/<room>/join`: a token for whoever comes without one.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Json,
    extract::{ConnectInfo, Path, State, rejection::JsonRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::json;
use shared::naming::Room;

use super::{Site, listener::Peer};
use crate::{
    auth::NotAdmitted,
    bucket::{Bucket, Rate},
};

/// Largest body, in bytes.
pub(super) const MAX_BODY: usize = 1024;
/// Guests that one address may bring at once, and then one a second; many viewers may share one.
const GUESTS: Rate = Rate { burst: 60, micros: 1_000_000 };
/// How long one that is not remembered waits where too many are.
const EVERY: Duration = Duration::from_secs(1);
/// Addresses that are remembered; past it those that have not asked for a while are forgotten.
const MAX_ADDRESSES: usize = 16_384;
/// For how long a browser keeps who one was, in seconds: a year.
const KEPT_SECONDS: u64 = 365 * 24 * 3600;

/// What is asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wish {
    #[serde(default)]
    name: Option<String>,
}

/// How often each address asked.
#[derive(Debug)]
pub(crate) struct Doorman {
    began: Instant,
    asked: Mutex<HashMap<IpAddr, Bucket>>,
}

impl Default for Doorman {
    fn default() -> Self {
        Self { began: Instant::now(), asked: Mutex::default() }
    }
}

impl Doorman {
    /// Whether an address may ask now; otherwise in how long.
    fn asks(&self, now: Instant, address: IpAddr) -> Result<(), Duration> {
        let since = now.saturating_duration_since(self.began).as_micros();
        let now = u64::try_from(since).unwrap_or(u64::MAX);
        let mut all = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_ADDRESSES && !all.contains_key(&address) {
            all.retain(|_, bucket| !bucket.is_full(now));
            if all.len() >= MAX_ADDRESSES {
                return Err(EVERY);
            }
        }
        all.entry(address).or_default().take(now, GUESTS)
    }
}

/// Answers `{"token", "viewer", "name", "expires"}`, `expires` in seconds since the Unix epoch. The same browser
/// is the same viewer again, by a cookie that scripts do not see.
pub(super) async fn join(
    State(site): State<Site>,
    ConnectInfo(Peer(from)): ConnectInfo<Peer>,
    Path(room): Path<String>,
    headers: HeaderMap,
    wish: Result<Json<Wish>, JsonRejection>,
) -> Response {
    let Ok(room) = room.parse::<Room>() else {
        return refused(StatusCode::NOT_FOUND, "a room's name is of 1 to 64 letters, digits, '-' and '_'");
    };
    if !site.rooms.is_empty() && !site.rooms.contains(&room) {
        return refused(StatusCode::NOT_FOUND, "this relay has no such room");
    }
    let Json(wish) = match wish {
        Ok(wish) => wish,
        Err(rejection) => return refused(rejection.status(), &rejection.body_text()),
    };
    if let Err(wait) = site.doorman.asks(Instant::now(), from.ip()) {
        let seconds = wait.as_secs_f64().ceil().to_string();
        let answer =
            refused(StatusCode::TOO_MANY_REQUESTS, "too many came from this address: try again soon");
        return ([(header::RETRY_AFTER, seconds)], answer).into_response();
    }
    let cookie = format!("room-{room}");
    match site.auth.admit(&room, wish.name.as_deref(), pass(&headers, &cookie)) {
        Ok(guest) => {
            let is_https =
                headers.get("x-forwarded-proto").is_some_and(|scheme| scheme.as_bytes() == b"https");
            let secure = if is_https { "; Secure" } else { "" };
            let kept = format!(
                "{cookie}={}; Path=/api/rooms/{room}; Max-Age={KEPT_SECONDS}; HttpOnly; SameSite=Lax{secure}",
                guest.pass
            );
            let body = json!({
                "token": guest.token,
                "viewer": guest.viewer.to_string(),
                "name": guest.name,
                "expires": guest.expires.0,
            });
            let heads = [(header::SET_COOKIE, kept), (header::CACHE_CONTROL, "no-store".to_owned())];
            (any_site(), heads, Json(body)).into_response()
        }
        Err(error @ NotAdmitted::Name(_)) => refused(StatusCode::UNPROCESSABLE_ENTITY, &error.to_string()),
        Err(NotAdmitted::Key(error)) => refused(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// Lets pages of other sites ask. Browsers send them no cookie along, so that no site can be somebody here.
pub(super) async fn preflight() -> Response {
    let heads = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "POST"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "content-type"),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
    ];
    (StatusCode::NO_CONTENT, any_site(), heads).into_response()
}

fn any_site() -> [(header::HeaderName, &'static str); 1] {
    [(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")]
}

fn refused(status: StatusCode, why: &str) -> Response {
    (status, any_site(), Json(json!({ "error": why }))).into_response()
}

/// The value of a cookie.
fn pass<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs =
        cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_asks_too_often_waits_and_others_do_not() {
        let (doorman, now) = (Doorman::default(), Instant::now());
        let (busy, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let admitted = (0..100).filter(|_| doorman.asks(now, busy).is_ok()).count();
        assert_eq!(admitted, 60);
        assert_eq!(doorman.asks(now, busy), Err(EVERY));
        assert_eq!(doorman.asks(now, other), Ok(()));
        assert_eq!(doorman.asks(now + EVERY, busy), Ok(()));
    }

    #[test]
    fn what_is_remembered_of_addresses_is_bounded() {
        let (doorman, now) = (Doorman::default(), Instant::now());
        let address = |number: u32| IpAddr::from(number.to_be_bytes());
        let many = u32::try_from(MAX_ADDRESSES).expect("few enough");
        assert!((0..many).all(|number| doorman.asks(now, address(number)).is_ok()));
        assert_eq!(doorman.asks(now, address(many)), Err(EVERY));
        assert_eq!(doorman.asks(now + 2 * EVERY, address(many)), Ok(()), "who asked once is forgotten");
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "a=b; room-demo=x.y.z".parse().expect("a header"));
        assert_eq!(pass(&headers, "room-demo"), Some("x.y.z"));
        assert_eq!(pass(&headers, "room-dem"), None);
    }
}
