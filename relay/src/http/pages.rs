//! The few pages that the relay makes itself, in English and Simplified Chinese.

use axum::{
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use shared::naming::Room;

use crate::analytics::report::escape;

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    English,
    Chinese,
}

impl Language {
    /// The first of the visitor's languages that the pages know.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let wanted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or("");
        let known = wanted.split(',').map(|tag| tag.trim().to_ascii_lowercase()).find_map(|tag| {
            let is = |language: &str| tag.split(['-', ';']).next() == Some(language);
            if is("zh") { Some(Self::Chinese) } else { is("en").then_some(Self::English) }
        });
        known.unwrap_or(Self::English)
    }

    fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh-CN",
        }
    }
}

/// The rooms on air.
pub(super) fn landing(rooms: &[Room], language: Language) -> Html<String> {
    let (title, nobody) = match language {
        Language::English => ("On air", "No room is on air right now. This page looks again by itself."),
        Language::Chinese => ("正在直播", "目前没有直播。页面会自动刷新。"),
    };
    let list = if rooms.is_empty() {
        format!("<p>{nobody}</p>")
    } else {
        let item = |room: &Room| {
            let room = escape(&room.to_string());
            format!("<li><a href=\"/{room}\"><span class=\"live\"></span>{room}</a></li>")
        };
        format!("<ul>{}</ul>", rooms.iter().map(item).collect::<String>())
    };
    page(language, title, &format!("<h1>{title}</h1>{list}"), "<meta http-equiv=\"refresh\" content=\"5\">")
}

/// For a room's address where the program was built without the viewer page.
pub(super) fn not_built() -> Html<String> {
    let body = "<h1>The viewer page is not built in</h1>\
        <p>This relay was compiled without it. Run <code>make build</code>, or <code>npm ci</code> and \
        <code>npm run build</code> in <code>player/web</code> and then <code>cargo build</code>. \
        Broadcasts run as they are, and the native player can watch them.</p>\
        <p lang=\"zh-CN\">此中继程序未包含观看页面。请运行 <code>make build</code> 后重试；原生播放器仍可观看。</p>";
    page(Language::English, "Viewer page missing", body, "")
}

/// For an address that is none of the relay's.
pub(super) fn not_found() -> Response {
    let body = "<h1>No such page</h1><p>A room's address is <code>/</code> and its name of letters, digits, \
        <code>-</code> and <code>_</code>. <a href=\"/\">Rooms on air</a></p>\
        <p lang=\"zh-CN\">没有这个页面。<a href=\"/\">查看正在直播的房间</a></p>";
    (StatusCode::NOT_FOUND, page(Language::English, "No such page", body, "")).into_response()
}

fn page(language: Language, title: &str, body: &str, head: &str) -> Html<String> {
    let tag = language.tag();
    Html(format!(
        "<!doctype html>\n<html lang=\"{tag}\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">{head}<style>{STYLE}</style>\
         </head><body><main>{body}</main></body></html>\n"
    ))
}

const STYLE: &str = ":root{color-scheme:dark}\
    body{margin:0;background:#0e0f13;color:#e8e9ed;font:16px/1.5 system-ui,\"Noto Sans CJK SC\",sans-serif}\
    main{max-width:40rem;margin:0 auto;padding:12vh 1.25rem 2rem}h1{font-size:1.5rem;font-weight:600}\
    ul{list-style:none;padding:0;display:grid;gap:.6rem}a{color:inherit}\
    li a{display:flex;align-items:center;gap:.7rem;padding:.9rem 1.1rem;border-radius:.7rem;\
    background:#1a1c23;text-decoration:none}li a:hover,li a:focus-visible{background:#252833}\
    .live{width:.6rem;height:.6rem;border-radius:50%;background:#ff4757}\
    code{background:#1a1c23;padding:.1rem .35rem;border-radius:.3rem}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_visitor_chooses_the_language() {
        for (wanted, language) in [
            ("zh-CN,zh;q=0.9,en;q=0.8", Language::Chinese),
            ("de, en;q=0.5, zh;q=0.1", Language::English),
            ("fr", Language::English),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, wanted.parse().expect("a header"));
            assert_eq!(Language::of(&headers), language, "{wanted}");
        }
        let rooms = ["a".parse().expect("a room"), "b".parse().expect("a room")];
        let Html(page) = landing(&rooms, Language::Chinese);
        assert!(page.contains("lang=\"zh-CN\"") && page.contains("href=\"/b\""), "{page}");
    }
}
