use std::io::Write;

use super::*;

fn read(arguments: &[&str]) -> Result<Config, clap::Error> {
    Config::read(["publisher"].iter().chain(arguments).map(OsString::from))
}

const NEEDED: [&str; 4] = ["--relay", "moqt://localhost:4443", "--room", "demo"];

fn with_file(toml: &str, arguments: &[&str]) -> Result<Config, clap::Error> {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(toml.as_bytes()).expect("written");
    let path = file.path().display().to_string();
    read(&[&["--config", &path], arguments].concat())
}

#[test]
fn the_command_line_is_itself_sound() {
    Config::command().debug_assert();
}

#[test]
fn defaults_are_those_of_the_help() {
    let config = read(&NEEDED).expect("a configuration");
    assert_eq!(config.keyframe_interval, Duration::from_secs(2));
    assert_eq!(config.temporal_layers, TemporalLayers::default());
    assert_eq!(config.audio_bitrate, Bitrate(96_000));
    assert!(config.rendition.is_empty() && config.duration.is_none());
}

#[test]
fn a_file_stands_in_for_options_that_are_not_given() {
    let toml = "relay = \"https://relay.example:443\"\nroom = \"school\"\nloop = true\n\
                rendition = [\"1280x720@30:2M\", \"640x360:600k\"]\ntemporal-layers = 1\nduration = 90";
    let config = with_file(toml, &["--room", "demo"]).expect("a configuration");
    assert_eq!(config.relay.as_str(), "https://relay.example/");
    assert_eq!(config.room.to_string(), "demo", "the command line comes first");
    assert!(config.repeat);
    assert_eq!(config.rendition.len(), 2);
    assert_eq!(config.temporal_layers.count(), 1);
    assert_eq!(config.duration, Some(Duration::from_secs(90)));
}

#[test]
fn what_is_wrong_is_named_with_what_would_be_right() {
    let file = |toml: &str| with_file(toml, &NEEDED).expect_err(toml);
    for (error, hint) in [
        (file("rom = \"demo\""), "\"rom\""),
        (file("loop = \"sometimes\""), "--loop"),
        (file("duration = { seconds = 1 }"), "duration"),
        (file("= 3"), "configuration file"),
        (read(&["--config", "/nowhere/at/all.toml"]).expect_err("no file"), "/nowhere/at/all.toml"),
        (read(&["--room", "demo"]).expect_err("no relay"), "--relay"),
        (read(&["--relay", "http://x", "--room", "demo"]).expect_err("a scheme"), "moqt://HOST:PORT"),
        (read(&["--relay", "moqt://localhost", "--room", "a b"]).expect_err("a room"), "room name"),
        (read(&[&NEEDED[..], &["--rendition", "big"]].concat()).expect_err("a size"), "1280x720"),
        (read(&[&NEEDED[..], &["--duration", "soon"]].concat()).expect_err("a time"), "90s"),
        (read(&[&NEEDED[..], &["--temporal-layers", "4"]].concat()).expect_err("layers"), "1, 2 or 3"),
        (read(&[&NEEDED[..], &["--keyframe-interval", "1h"]].concat()).expect_err("interval"), "10s"),
    ] {
        let said = error.to_string();
        assert!(said.contains(hint), "{hint}: {said}");
        assert_eq!(error.exit_code(), 2, "{said}");
    }
}
