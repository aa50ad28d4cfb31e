//! What operators are told over HTTP, at an address of their own: `/status` for people, `/status.json` for
//! programs, `/metrics` for Prometheus. They tell of rooms and tracks that nobody else may know, and an
//! HTTPS server in front of the viewers' port makes every visitor look like a local one: so it is not that port.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};

use super::pages::Language;
use crate::{metrics::text::CONTENT_TYPE, status::Observer};

const PAGE: &str = include_str!("status/status.html");
const STYLE: &str = include_str!("status/status.css");
const SCRIPT: &str = include_str!("status/status.js");
/// The page takes nothing from elsewhere, and is in no other page's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// All routes, at this address.
pub(crate) fn router(observer: Arc<Observer>, addr: SocketAddr) -> Router {
    let routes = Router::new()
        .route("/", get(|| async { Redirect::temporary("/status") }))
        .route("/status", get(page))
        .route(
            "/status.json",
            get(|State(observer): State<Arc<Observer>>| async move { Json(observer.status()) }),
        )
        .route("/status.css", get(|| async { ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE) }))
        .route(
            "/status.js",
            get(|| async { ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], SCRIPT) }),
        )
        .route(
            "/metrics",
            get(|State(observer): State<Arc<Observer>>| async move {
                ([(header::CONTENT_TYPE, CONTENT_TYPE)], observer.metrics())
            }),
        )
        .route("/healthz", get(|| async { "ok\n" }))
        .with_state(observer)
        .layer(middleware::map_response(closed));
    match addr.ip().is_loopback() {
        true => routes.layer(middleware::from_fn(local_only)),
        false => routes,
    }
}

async fn page(headers: HeaderMap) -> Response {
    let (tag, title) = match Language::of(&headers) {
        Language::English => ("en", "Relay status"),
        Language::Chinese => ("zh-CN", "中继状态"),
    };
    let page = PAGE.replace("{language}", tag).replace("{title}", title);
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::VARY, "accept-language")], page)
        .into_response()
}

/// Nothing here is kept or used by others.
async fn closed(mut response: Response) -> Response {
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("referrer-policy"), "no-referrer"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A page of another site that has its name resolve to this machine is not let in.
async fn local_only(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    if host.is_none_or(is_local) {
        return next.run(request).await;
    }
    let words = "This address is for this machine alone: ask for it as localhost or 127.0.0.1, or let others in \
                 with --status ADDR.\n";
    (StatusCode::FORBIDDEN, words).into_response()
}

/// Whether a Host header names this machine.
fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.split(':').next().unwrap_or(host),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// For who asks for these at the viewers' port.
pub(super) async fn elsewhere() -> Response {
    let words = "What operators are told is at an address of its own: the relay prints it as \"status\" when it \
                 starts, and --status sets it.\n";
    (StatusCode::NOT_FOUND, words).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_local() {
        for host in ["localhost", "LOCALHOST:8081", "127.0.0.1:8081", "127.9.9.9", "[::1]:8081", "[::1]"] {
            assert!(is_local(host), "{host}");
        }
        for host in [
            "relay.example",
            "127.0.0.1.evil.example:8081",
            "localhost.evil.example",
            "10.0.0.1",
            "",
            "[::2]",
        ] {
            assert!(!is_local(host), "{host}");
        }
    }
}
