//! The viewer page's files, embedded into the program.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Response as HttpResponse, StatusCode, header},
    response::{IntoResponse, Response},
};
use rust_embed::{Embed, EmbeddedFile};

#[derive(Embed)]
#[folder = "../player/web/dist"]
struct Page;

/// What is below `assets/` has its content's hash in its name.
const FOREVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// Everything else is asked for again each time, and answered with 304 while it is the same.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

/// The answer with the file at `path`; `None` where there is none.
pub(super) fn file(path: &str, asked: &HeaderMap) -> Option<Response> {
    Some(answer(path, Page::get(path)?, asked))
}

fn answer(path: &str, file: EmbeddedFile, asked: &HeaderMap) -> Response {
    let hash = file.metadata.sha256_hash();
    let tag: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{tag}\"");
    let known = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let is_known =
        known.flat_map(|value| value.split(',')).any(|known| known.trim().trim_start_matches("W/") == tag);
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = HttpResponse::new(Body::from(file.data.into_owned()));
        let kind = mime_guess::from_path(path).first_or_octet_stream();
        let text = match kind.type_() {
            mime_guess::mime::TEXT => format!("{}; charset=utf-8", kind.essence_str()),
            _ => kind.essence_str().to_owned(),
        };
        if let Ok(kind) = HeaderValue::from_str(&text) {
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
        }
        response
    };
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    let is_named_by_content = path.starts_with("assets/");
    headers.insert(header::CACHE_CONTROL, if is_named_by_content { FOREVER } else { ASK_AGAIN });
    // The element's modules are loaded by other sites, too.
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use rust_embed::Metadata;

    use super::*;

    fn script() -> EmbeddedFile {
        let metadata = Metadata::__rust_embed_new([7; 32], None, None);
        EmbeddedFile { data: Cow::Borrowed(b"go()"), metadata }
    }

    #[test]
    fn a_file_that_is_known_is_not_sent_again() {
        let first = answer("live-room.js", script(), &HeaderMap::new());
        assert_eq!(first.status(), StatusCode::OK);
        assert_eq!(first.headers()[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
        let mut asked = HeaderMap::new();
        asked.insert(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone());
        assert_eq!(answer("live-room.js", script(), &asked).status(), StatusCode::NOT_MODIFIED);
        asked.insert(header::IF_NONE_MATCH, HeaderValue::from_static("\"other\""));
        assert_eq!(answer("live-room.js", script(), &asked).status(), StatusCode::OK);
    }

    #[test]
    fn only_files_named_by_their_content_are_kept_without_asking() {
        let cache = |path| answer(path, script(), &HeaderMap::new()).headers()[header::CACHE_CONTROL].clone();
        assert_eq!(cache("assets/worker-abc.js"), FOREVER);
        assert_eq!(cache("index.html"), ASK_AGAIN);
    }
}
