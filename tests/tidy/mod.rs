//! Invariants of the architecture that a program can check.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

mod coverage;

/// Which crates of the workspace each crate may use.
const MAY_USE: [(&str, &[&str]); 5] = [
    ("shared", &[]),
    ("relay", &["shared"]),
    ("publisher", &["shared"]),
    ("player", &["shared"]),
    ("tests", &["shared", "relay", "publisher", "player"]),
];

/// Where alone a library may be named, as beginnings of paths.
const ONLY_IN: [(&str, &[&str]); 6] = [
    // A load has to be lighter than what it loads, and a floor has nothing around QUIC: both are QUIC itself.
    ("quinn", &["shared/src/transport/", "tests/src/load/"]),
    ("quinn_proto", &["shared/src/transport/", "tests/src/load/"]),
    ("wtransport", &["shared/src/transport/"]),
    ("moq_transport", &["shared/src/moqt/wire.rs", "shared/src/moqt/wire/"]),
    ("rusqlite", &["relay/src/analytics/store.rs", "relay/src/analytics/store/"]),
    (
        "openh264",
        &[
            "publisher/src/encode/openh264.rs",
            "publisher/src/capture/openh264.rs",
            "publisher/benches/encode/openh264.rs",
            "player/src/decode/openh264.rs",
        ],
    ),
];

const LONGEST_FILE: usize = 600;

#[test]
fn programs_depend_on_shared_and_never_on_each_other() -> Result<()> {
    for (name, allowed) in MAY_USE {
        let manifest: toml::Table = fs::read_to_string(root().join(name).join("Cargo.toml"))?.parse()?;
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(used) = manifest.get(section).and_then(toml::Value::as_table) else { continue };
            for (other, _) in MAY_USE {
                let fine = allowed.contains(&other) || !used.contains_key(other);
                assert!(fine, "{name}/Cargo.toml names {other} in [{section}]");
            }
        }
    }
    Ok(())
}

#[test]
fn each_named_library_stays_in_its_place() -> Result<()> {
    for (path, text) in rust_files()? {
        for (library, places) in ONLY_IN {
            // A module of ours may bear the library's name where it is declared.
            let is_ours = text.contains(&format!("mod {library};"));
            let allowed = is_ours || places.iter().any(|place| path.starts_with(place));
            let named = text.lines().enumerate().find(|(_, line)| names_crate(line, library));
            if let (Some((line, _)), false) = (named, allowed) {
                panic!("{path}:{} names {library}, which belongs in {places:?}", line + 1);
            }
        }
    }
    Ok(())
}

#[test]
fn pure_modules_know_no_clock_and_no_runtime() -> Result<()> {
    let pure = [
        "shared/src/moqt/session/",
        "shared/src/moqt/wire",
        "shared/src/moqt/priority.rs",
        "shared/src/loc.rs",
        "shared/src/catalog.rs",
        "shared/src/media/",
        "publisher/src/package.rs",
        "publisher/src/encode/rate.rs",
        "player/src/depackage.rs",
        "player/src/jitter.rs",
        "player/src/playhead.rs",
    ];
    let mut seen = 0;
    for (path, text) in rust_files()? {
        if !pure.iter().any(|place| path.starts_with(place)) || path.contains("tests") {
            continue;
        }
        seen += 1;
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for word in ["tokio::", "Instant::now", "SystemTime::now", "std::net::", "std::fs::"] {
            assert!(!code.contains(word), "{path} uses {word}: it is to be pure");
        }
    }
    assert!(seen >= pure.len(), "only {seen} pure files were found: the list is out of date");
    Ok(())
}

#[test]
fn files_fit_in_the_head() -> Result<()> {
    for (path, text) in rust_files()? {
        let is_code = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
        let lines = text.lines().filter(is_code).count();
        assert!(lines <= LONGEST_FILE, "{path} has {lines} lines of code: find the seam");
    }
    Ok(())
}

/// Whether a line of code uses the crate `library` in a path.
fn names_crate(line: &str, library: &str) -> bool {
    let code = line.trim_start();
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"_\"".contains(&byte);
    let begins_a_path = |before: &str| {
        let from_the_crates =
            before.ends_with("::") && !before.trim_end_matches("::").ends_with(|c: char| c.is_alphanumeric());
        from_the_crates || !before.ends_with("::") && !before.bytes().next_back().is_some_and(is_part)
    };
    !code.starts_with("//")
        && code.match_indices(library).any(|(at, _)| {
            let (before, rest) = code.split_at(at);
            rest[library.len()..].starts_with("::") && begins_a_path(before)
        })
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// Every Rust file of the workspace's crates with its path from the top, in order.
fn rust_files() -> Result<Vec<(String, String)>> {
    let root = root();
    let mut folders: Vec<PathBuf> = MAY_USE.iter().map(|(name, _)| root.join(name)).collect();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() && !["node_modules", "target", "dist", "web", "corpus"].contains(&&*name) {
                folders.push(path);
            } else if name.ends_with(".rs") {
                let short = path.strip_prefix(&root)?.to_string_lossy().into_owned();
                files.push((short, fs::read_to_string(&path)?));
            }
        }
    }
    files.sort();
    anyhow::ensure!(files.len() > 20, "the workspace's files were not found");
    Ok(files)
}
