//! What `--qlog` writes while the programs run.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use anyhow::{Context, Result};
use serde_json::Value;
use tests::world::{Over, PATIENCE, World};

#[test]
fn each_connection_of_the_three_programs_has_a_file_over_both_transports() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let logs = |name: &str| folder.path().join(name).display().to_string();
    let mut world = World::with(&["--qlog", &logs("relay")])?;
    let token = world.token("demo", "host", &[])?;
    let hidden = token.rsplit('.').next().context("a signature")?.to_owned();
    let publishing = [
        "--source",
        "pattern",
        "--rendition",
        "320x180@30:300k",
        "--token",
        &token,
        "--qlog",
        &logs("publisher"),
    ];
    let mut publisher = world.publisher(Over::Quic, "demo", &publishing)?;
    let watching = ["--wait", "--duration", "3s", "--qlog", &logs("player")];
    let mut player = world.player(Over::WebTransport, "demo", &watching)?;
    player.wait_for(0, PATIENCE)?;
    publisher.interrupt()?;
    publisher.wait_for(0, PATIENCE)?;
    world.relay().interrupt()?;
    world.relay().wait_for(0, Duration::from_secs(15))?;

    let [published] = &read(&folder.path().join("publisher"), "_client.sqlog", &hidden)?[..] else {
        anyhow::bail!("the publisher has one connection")
    };
    let [watched] = &read(&folder.path().join("player"), "_client.sqlog", &hidden)?[..] else {
        anyhow::bail!("the player has one connection")
    };
    let served = read(&folder.path().join("relay"), "_server.sqlog", &hidden)?;
    assert_eq!(served.len(), 2);
    for (name, count) in [
        ("transport:packet_sent", 50),
        ("transport:packet_received", 50),
        ("recovery:metrics_updated", 5),
        ("moqt:stream_type_set", 2),
        ("moqt:control_message_created", 2),
        ("moqt:control_message_parsed", 2),
        ("moqt:subgroup_header_created", 2),
        ("moqt:subgroup_object_created", 60),
    ] {
        assert!(published.count(name) >= count, "the publisher's {name}: {:?}", published.events);
    }
    for (name, count) in [
        ("transport:packet_sent", 10),
        ("moqt:subgroup_header_parsed", 2),
        ("moqt:subgroup_object_parsed", 60),
        ("moqt:fetch_header_parsed", 1),
        ("moqt:fetch_object_parsed", 1),
        ("moqt:control_message_created", 3),
    ] {
        assert!(watched.count(name) >= count, "the player's {name}: {:?}", watched.events);
    }
    let relayed = |name: &str| served.iter().map(|file| file.count(name)).sum::<usize>();
    assert!(relayed("moqt:subgroup_object_parsed") >= 60 && relayed("moqt:subgroup_object_created") >= 60);
    Ok(())
}

#[test]
fn a_folder_that_cannot_be_written_to_is_told_and_fails() -> Result<()> {
    let file = tempfile::NamedTempFile::new()?;
    let path = file.path().display().to_string();
    let world = World::new()?;
    for mut process in [
        world.publisher(Over::Quic, "demo", &["--qlog", &path])?,
        world.player(Over::Quic, "demo", &["--qlog", &path])?,
        tests::process::Process::start(
            "relay",
            &[
                "serve",
                "--data",
                &world.path("other"),
                "--listen",
                "127.0.0.1:0",
                "--http",
                "127.0.0.1:0",
                "--qlog",
                &path,
            ],
        )?,
    ] {
        process.wait_for(1, PATIENCE)?;
        assert!(process.errors().contains("--qlog"), "{}", process.errors());
    }
    Ok(())
}

/// How often each event is in a file.
#[derive(Debug)]
struct Log {
    events: BTreeMap<String, usize>,
}

impl Log {
    fn count(&self, name: &str) -> usize {
        self.events.get(name).copied().unwrap_or(0)
    }
}

/// The logs of a folder, checked to be whole: a head, then events in the order of their time, without secrets.
fn read(folder: &Path, suffix: &str, hidden: &str) -> Result<Vec<Log>> {
    let mut logs = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        anyhow::ensure!(path.to_string_lossy().ends_with(suffix), "{} is no log", path.display());
        let bytes = fs::read(&path)?;
        anyhow::ensure!(!String::from_utf8_lossy(&bytes).contains(hidden), "{} has a token", path.display());
        let records: Vec<&[u8]> = bytes.split(|&byte| byte == 0x1e).skip(1).collect();
        let parse = |record: &&[u8]| serde_json::from_slice::<Value>(record);
        let records: Vec<Value> = records.iter().map(parse).collect::<Result<_, _>>()?;
        let (head, events) = records.split_first().context("a head")?;
        anyhow::ensure!(head["qlog_format"] == "JSON-SEQ", "{head}");
        let mut counts = BTreeMap::new();
        for event in events {
            anyhow::ensure!(event["time"].is_number() && event["data"].is_object(), "{event}");
            *counts.entry(event["name"].as_str().context("a name")?.to_owned()).or_insert(0) += 1;
        }
        logs.push(Log { events: counts });
    }
    Ok(logs)
}
