//! The viewer page and what operators and clients ask for over HTTP.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use serde_json::json;
use shared::naming::Room;
use tokio::sync::watch;

use crate::{auth::Auth, certificate::Shown, clock::rfc3339_of, registry::Registry};

mod assets;
mod join;
mod listener;
mod pages;
pub(crate) mod status;

pub(crate) use join::Doorman;
pub(crate) use listener::{Listener, Peer};

/// What the pages are made from.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    /// Where MoQT is served.
    pub(crate) moqt: SocketAddr,
    /// The certificate shown there.
    pub(crate) certificate: watch::Receiver<Shown>,
    /// The rooms.
    pub(crate) registry: Arc<Registry>,
    /// Who makes tokens.
    pub(crate) auth: Arc<Auth>,
    /// How often each address asked for one.
    pub(crate) doorman: Arc<Doorman>,
    /// The rooms that there may be; all of them where none is named.
    pub(crate) rooms: Arc<[Room]>,
}

/// All routes.
pub(crate) fn router(site: Site) -> Router {
    Router::new()
        .route("/", get(landing))
        .route("/certificate.json", get(certificate))
        .route("/certificate.sha256", get(certificate_hash))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/metrics", get(status::elsewhere))
        .route("/status", get(status::elsewhere))
        .route("/status.json", get(status::elsewhere))
        .route("/api/rooms/{room}/join", post(join::join).options(join::preflight))
        .layer(DefaultBodyLimit::max(join::MAX_BODY))
        .route("/{room}", get(room))
        .route("/studio/{room}", get(studio))
        .route("/{folder}/{*file}", get(asset_below))
        .fallback(|| async { pages::not_found() })
        .with_state(site)
}

/// For the page and its element on other sites: `hash` is `null` where browsers trust the certificate.
async fn certificate(State(site): State<Site>) -> Response {
    let shown = *site.certificate.borrow();
    let hash = shown.is_hashed.then(|| shown.hash.to_string());
    let body = json!({ "hash": hash, "port": site.moqt.port(), "notAfter": rfc3339_of(shown.not_after) });
    (open_to_all(), Json(body)).into_response()
}

async fn certificate_hash(State(site): State<Site>) -> Response {
    (open_to_all(), format!("{}\n", site.certificate.borrow().hash)).into_response()
}

/// Asked for by other sites, and never out of date.
fn open_to_all() -> [(header::HeaderName, &'static str); 2] {
    [(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"), (header::CACHE_CONTROL, "no-store")]
}

async fn landing(State(site): State<Site>, headers: HeaderMap) -> Response {
    let rooms = site.registry.rooms_on_air();
    match rooms.as_slice() {
        [only] => Redirect::temporary(&format!("/{only}")).into_response(),
        rooms => pages::landing(rooms, pages::Language::of(&headers)).into_response(),
    }
}

/// A file of the page's where there is one of that name, else the page itself for a room.
async fn room(Path(name): Path<String>, headers: HeaderMap) -> Response {
    if let Some(file) = assets::file(&name, &headers) {
        return file;
    }
    page_of(&name, "index.html", &headers)
}

/// The page on which a room is run.
async fn studio(Path(name): Path<String>, headers: HeaderMap) -> Response {
    page_of(&name, "studio.html", &headers)
}

/// A page for a room of that name, which it finds in its own address.
fn page_of(name: &str, page: &str, headers: &HeaderMap) -> Response {
    if name.parse::<Room>().is_err() {
        return pages::not_found();
    }
    match assets::file(page, headers) {
        Some(page) => page,
        None => (StatusCode::SERVICE_UNAVAILABLE, pages::not_built()).into_response(),
    }
}

async fn asset_below(Path((folder, file)): Path<(String, String)>, headers: HeaderMap) -> Response {
    assets::file(&format!("{folder}/{file}"), &headers).unwrap_or_else(pages::not_found)
}
