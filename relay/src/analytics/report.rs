//! What was stored, for a person or a program.

use std::fmt::Write;

use super::store::{BroadcastRow, Report, SessionRow};
use crate::config::ReportFormat;

/// Prints a report.
pub(crate) fn render(report: &Report, format: ReportFormat) -> String {
    match format {
        ReportFormat::Table => table(report),
        ReportFormat::Json => json(report),
        ReportFormat::Csv => csv(report),
        ReportFormat::Html => html(report),
    }
}

/// A heading, the names of its columns, its rows.
type Section = (&'static str, &'static [&'static str], Vec<Vec<String>>);

fn sections(report: &Report) -> [Section; 4] {
    let rooms = report.rooms.iter().map(|room| {
        let on_air = format!("{:.1}", room.on_air_seconds);
        let numbers = [room.broadcasts.to_string(), room.viewers.to_string(), on_air];
        [vec![room.name.clone(), room.first_seen.clone()], numbers.to_vec()].concat()
    });
    let tracks = report.broadcasts.iter().flat_map(|broadcast| {
        broadcast.tracks.iter().map(|track| {
            let numbers = [track.objects.to_string(), track.bytes.to_string()];
            [vec![broadcast.room.clone(), broadcast.start.clone(), track.name.clone()], numbers.to_vec()]
                .concat()
        })
    });
    [
        ("Rooms", &["room", "first seen", "broadcasts", "viewers", "seconds on air"], rooms.collect()),
        (
            "Broadcasts",
            &["room", "start", "end", "reason"],
            report.broadcasts.iter().map(broadcast).collect(),
        ),
        ("Tracks", &["room", "broadcast", "track", "objects", "bytes"], tracks.collect()),
        ("Sessions", &SESSION, report.sessions.iter().map(session).collect()),
    ]
}

const SESSION: [&str; 10] = [
    "room",
    "role",
    "transport",
    "start",
    "end",
    "reason",
    "received bytes",
    "sent bytes",
    "tracks",
    "skipped groups",
];

fn broadcast(row: &BroadcastRow) -> Vec<String> {
    vec![row.room.clone(), row.start.clone(), or_dash(row.end.as_ref()), or_dash(row.reason.as_ref())]
}

fn session(row: &SessionRow) -> Vec<String> {
    let tracks = row.tracks.iter().map(|track| track.name.as_str()).collect::<Vec<_>>().join(" ");
    vec![
        or_dash(row.room.as_ref()),
        or_dash(row.role.as_ref()),
        row.transport.clone(),
        row.start.clone(),
        or_dash(row.end.as_ref()),
        or_dash(row.reason.as_ref()),
        row.received_bytes.to_string(),
        row.sent_bytes.to_string(),
        or_dash(Some(&tracks).filter(|tracks| !tracks.is_empty())),
        row.tracks.iter().map(|track| track.skipped_groups).sum::<i64>().to_string(),
    ]
}

fn or_dash(text: Option<&String>) -> String {
    text.cloned().unwrap_or_else(|| "-".to_owned())
}

fn table(report: &Report) -> String {
    let mut text = String::new();
    for (heading, columns, rows) in sections(report) {
        let width = |column: usize, name: &str| {
            let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
            cells.fold(name.chars().count(), usize::max)
        };
        let widths: Vec<usize> = columns.iter().enumerate().map(|(index, name)| width(index, name)).collect();
        let line = |cells: &mut dyn Iterator<Item = &str>| {
            let padded = cells.zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        let _ = writeln!(text, "{heading}\n{}", line(&mut columns.iter().copied()));
        for row in &rows {
            let _ = writeln!(text, "{}", line(&mut row.iter().map(String::as_str)));
        }
        text.push('\n');
    }
    text
}

fn json(report: &Report) -> String {
    let mut text = serde_json::to_string_pretty(report).unwrap_or_default();
    text.push('\n');
    text
}

fn csv(report: &Report) -> String {
    let quoted = |cell: &str| match cell {
        "-" => String::new(),
        // A cell that begins like a formula stays a text in a spreadsheet.
        cell if cell.starts_with(['=', '+', '-', '@']) => format!("\"'{}\"", cell.replace('"', "\"\"")),
        cell if cell.contains(['"', ',', '\n', '\r']) => format!("\"{}\"", cell.replace('"', "\"\"")),
        cell => cell.to_owned(),
    };
    let mut text = SESSION.map(|name| name.replace(' ', "_")).join(",") + "\n";
    for row in &report.sessions {
        text += &session(row).iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(",");
        text.push('\n');
    }
    text
}

fn html(report: &Report) -> String {
    let mut text = String::from(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Relay report</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>\
         :root{color-scheme:light dark}body{font:14px system-ui,sans-serif;margin:2rem}\
         table{border-collapse:collapse}th,td{text-align:left;padding:.2rem .8rem .2rem 0;\
         border-bottom:1px solid #8884}</style><h1>Relay report</h1>\n",
    );
    for (heading, columns, rows) in sections(report) {
        let cells = |tag: &str, cells: &[String]| {
            cells.iter().fold(String::new(), |row, cell| row + &format!("<{tag}>{}</{tag}>", escape(cell)))
        };
        let head: Vec<String> = columns.iter().map(ToString::to_string).collect();
        let _ = writeln!(text, "<h2>{heading}</h2><table><tr>{}</tr>", cells("th", &head));
        for row in &rows {
            let _ = writeln!(text, "<tr>{}</tr>", cells("td", row));
        }
        text.push_str("</table>\n");
    }
    text.push_str("</html>\n");
    text
}

/// `text` where HTML stands.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::{
        super::store::{DeliveryRow, RoomRow},
        *,
    };

    fn delivery(name: &str) -> DeliveryRow {
        DeliveryRow { name: name.to_owned(), objects: 5, bytes: 6, skipped_groups: 1 }
    }

    fn report() -> Report {
        let room = RoomRow {
            name: "demo".to_owned(),
            first_seen: "2026-11-24T00:00:00.000Z".to_owned(),
            broadcasts: 1,
            viewers: 2,
            on_air_seconds: 3.25,
        };
        let session = SessionRow {
            room: None,
            role: None,
            transport: "quic".to_owned(),
            start: "2026-11-24T00:00:00.000Z".to_owned(),
            end: None,
            reason: Some("said \"<bye>\", left".to_owned()),
            received_bytes: 7,
            sent_bytes: 8,
            tracks: ["audio", "video-720p"].map(delivery).to_vec(),
        };
        Report { rooms: vec![room], broadcasts: Vec::new(), sessions: vec![session] }
    }

    #[test]
    fn every_format_holds_its_own_quoting() {
        let csv = render(&report(), ReportFormat::Csv);
        let row = ",,quic,2026-11-24T00:00:00.000Z,,\"said \"\"<bye>\"\", left\",7,8,audio video-720p,2";
        assert_eq!(csv.lines().nth(1), Some(row));
        let html = render(&report(), ReportFormat::Html);
        assert!(html.contains("<td>said &quot;&lt;bye&gt;&quot;, left</td>"), "{html}");
        let json: serde_json::Value =
            serde_json::from_str(&render(&report(), ReportFormat::Json)).expect("JSON");
        assert_eq!(json["sessions"][0]["end"], serde_json::Value::Null);
        let table = render(&report(), ReportFormat::Table);
        assert!(table.lines().any(|line| line.starts_with("demo  ") && line.ends_with("3.2")), "{table}");
    }
}
