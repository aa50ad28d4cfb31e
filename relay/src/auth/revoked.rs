//! Tokens that were taken back: lines of JSON in the data folder, appended by `relay token revoke` and looked at
//! several times a second by the relay that runs on it. A file of its own, since who takes a token back must not
//! wait for a locked database.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};
use shared::{naming::Room, room::ViewerId};

use super::{
    sessions::Target,
    token::{Grant, Seconds},
};

/// The file's name in the data folder.
pub(crate) const FILE: &str = "revoked.jsonl";
/// Largest file: about a hundred thousand entries.
const MAX_BYTES: u64 = 8 << 20;

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    at: Seconds,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    viewer: Option<ViewerId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    room: Option<String>,
}

/// What was taken back.
#[derive(Debug, Default)]
pub(super) struct Revoked {
    all: Vec<Target>,
    seen_bytes: u64,
}

impl Revoked {
    /// Whether a token is among it.
    pub(super) fn has(&self, grant: &Grant) -> bool {
        self.all.iter().any(|target| target.means(grant))
    }

    /// Reads what came since the last look: it is new.
    ///
    /// # Errors
    /// The system's, where there is a file that cannot be read.
    pub(super) fn look(&mut self, folder: &Path) -> io::Result<Vec<Target>> {
        let path = folder.join(FILE);
        let bytes = match fs::metadata(&path) {
            Ok(about) => about.len().min(MAX_BYTES),
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        if bytes == self.seen_bytes {
            return Ok(Vec::new());
        }
        let text = fs::read_to_string(&path)?;
        // A line that is being written counts once it has its end.
        let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
        let now: Vec<Target> = whole.lines().filter_map(target).collect();
        let new = now.iter().filter(|target| !self.all.contains(target)).cloned().collect();
        self.all = now;
        self.seen_bytes = whole.len() as u64;
        Ok(new)
    }
}

fn target(line: &str) -> Option<Target> {
    let line: Line = serde_json::from_str(line).ok()?;
    match (line.token, line.viewer) {
        (Some(token), None) => Some(Target::Token(token)),
        (None, Some(viewer)) => {
            let room: Option<Room> = line.room.map(|room| room.parse()).transpose().ok()?;
            Some(Target::Viewer { viewer, room, until: line.at })
        }
        _ => None,
    }
}

/// Adds an entry.
///
/// # Errors
/// The system's, or that the file is full.
pub(super) fn append(folder: &Path, target: &Target, now: Seconds) -> io::Result<()> {
    let line = match target {
        Target::Token(token) => Line { at: now, token: Some(token.clone()), viewer: None, room: None },
        Target::Viewer { viewer, room, until } => Line {
            at: *until,
            token: None,
            viewer: Some(viewer.clone()),
            room: room.as_ref().map(ToString::to_string),
        },
        Target::Address(_) => return Err(io::Error::other("addresses are not kept here")),
    };
    let path = folder.join(FILE);
    if fs::metadata(&path).is_ok_and(|about| about.len() > MAX_BYTES / 2) {
        return Err(io::Error::other(
            "it is full: give the relay a new token key instead, which ends all tokens, and remove it",
        ));
    }
    let mut file = fs::OpenOptions::new().append(true).create(true).open(path)?;
    let mut text = serde_json::to_string(&line)?;
    text.push('\n');
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_appended_is_new_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut revoked = Revoked::default();
        assert_eq!(revoked.look(folder.path()).expect("none yet"), []);
        let first = Target::Token("t".to_owned());
        let second = Target::Viewer {
            viewer: "v".parse().expect("an ID"),
            room: Some("r".parse().expect("a room")),
            until: Seconds(9),
        };
        append(folder.path(), &first, Seconds(5)).expect("written");
        assert_eq!(revoked.look(folder.path()).expect("read"), [first]);
        append(folder.path(), &second, Seconds(9)).expect("written");
        fs::OpenOptions::new()
            .append(true)
            .open(folder.path().join(FILE))
            .and_then(|mut file| file.write_all(b"nonsense\n{\"at\":1,\"tok"))
            .expect("written");
        assert_eq!(revoked.look(folder.path()).expect("read"), [second]);
        assert_eq!(revoked.look(folder.path()).expect("read"), []);
    }
}
