//! What people get wrong: one clear message with what to do, the right exit code, and nothing else breaks.

use anyhow::Result;
use tests::{
    film,
    process::Process,
    world::{Over, PATIENCE, World, free_udp_port},
};

const PATTERN: [&str; 4] = ["--source", "pattern", "--rendition", "320x180@30:300k"];

#[test]
fn no_relay_at_the_url() -> Result<()> {
    let url = format!("moqt://127.0.0.1:{}", free_udp_port()?);
    let arguments = ["--relay", &url, "--room", "demo", "--insecure"];
    ends("publisher", &arguments, 1, &["127.0.0.1", "relay"])?;
    ends("player", &[&arguments[..], &["--display", "none"]].concat(), 1, &["127.0.0.1", "no connection"])
}

#[test]
fn a_certificate_that_is_not_the_expected_one() -> Result<()> {
    let world = World::new()?;
    let other = "ab".repeat(32);
    for (program, more) in [("publisher", &[][..]), ("player", &["--display", "none"][..])] {
        for over in [Over::Quic, Over::WebTransport] {
            let url = world.url(over);
            let to = [&["--relay", &url, "--room", "demo"], more].concat();
            ends(program, &[&to[..], &["--cert-hash", &other]].concat(), 1, &["certificate", "--cert-hash"])?;
            ends(program, &to, 1, &["certificate", "--insecure"])?;
        }
    }
    Ok(())
}

#[test]
fn a_wrong_command_line() -> Result<()> {
    ends("player", &["--room", "demo"], 2, &["--relay"])?;
    ends("publisher", &["--relay", "moqt://localhost", "--room", "a b"], 2, &["room name"])?;
    ends(
        "publisher",
        &["--relay", "moqt://localhost", "--room", "a", "--rendition", "big"],
        2,
        &["1280x720@30:2M"],
    )?;
    ends("publisher", &["--relay", "moqt://localhost", "--room", "a", "--source", "tape"], 2, &["pattern"])?;
    ends("relay", &["serve", "--listen", "here"], 2, &["--listen"])
}

#[test]
fn files_that_are_no_films() -> Result<()> {
    let world = World::new()?;
    let (text, sound, none) = (world.path("text.mp4"), world.path("sound.mp4"), world.path("none.mp4"));
    std::fs::write(&text, "not a film at all, only some words in a row")?;
    film::make("-f lavfi -i sine=duration=1 -c:a aac", &sound)?;
    for (file, words) in [(&text, "MP4"), (&sound, "video"), (&none, "No such file")] {
        let source = format!("file:{file}");
        let mut publisher = world.publisher(Over::Quic, "demo", &["--source", &source])?;
        publisher.wait_for(1, PATIENCE)?;
        assert!(publisher.errors().contains(words), "{words}: {}", publisher.errors());
        assert!(publisher.errors().contains(file.as_str()), "names the file: {}", publisher.errors());
    }
    Ok(())
}

#[test]
fn a_pipe_that_is_no_y4m_or_ends() -> Result<()> {
    let world = World::new()?;
    let url = world.url(Over::Quic);
    let arguments = ["--relay", &url, "--cert-hash", world.hash(), "--room", "demo", "--source", "y4m:-"];
    for input in [&b""[..], b"RIFF....AVI and so on"] {
        let mut publisher = Process::start_with_input("publisher", &arguments, input.to_vec())?;
        publisher.wait_for(1, PATIENCE)?;
        assert!(publisher.errors().contains("y4m"), "{}", publisher.errors());
    }
    Ok(())
}

#[test]
fn a_rendition_that_the_broadcast_lacks() -> Result<()> {
    let world = World::new()?;
    let _publisher = world.publisher(Over::Quic, "demo", &PATTERN)?;
    let mut player = world.player(Over::Quic, "demo", &["--wait", "--rendition", "4320p"])?;
    player.wait_for(1, PATIENCE)?;
    assert!(player.errors().contains("180p"), "names those that there are: {}", player.errors());
    Ok(())
}

#[test]
fn a_port_in_use_and_a_folder_that_cannot_be_written() -> Result<()> {
    let world = World::new()?;
    let taken = world.moqt().to_string();
    let data = world.path("other");
    ends(
        "relay",
        &["serve", "--data", &data, "--listen", &taken, "--http", "127.0.0.1:0"],
        1,
        &["in use", &taken],
    )?;
    let file = world.path("file");
    std::fs::write(&file, "")?;
    let below = format!("{file}/data");
    let arguments = ["serve", "--data", &below, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"];
    ends("relay", &arguments, 1, &[&below, "--data"])
}

#[test]
fn a_room_that_the_relay_does_not_have() -> Result<()> {
    let world = World::with(&["--rooms", "class-7"])?;
    let mut publisher = world.publisher(Over::Quic, "demo", &PATTERN)?;
    publisher.wait_for(1, PATIENCE)?;
    assert!(publisher.errors().contains("demo"), "{}", publisher.errors());
    Ok(())
}

/// Runs a program that is to end with `code`, saying each of `words`, and no panic.
fn ends(program: &str, arguments: &[&str], code: i32, words: &[&str]) -> Result<()> {
    let mut process = Process::start(program, arguments)?;
    process.wait_for(code, PATIENCE)?;
    let said = process.errors();
    for word in words {
        assert!(said.contains(word), "{program} {arguments:?} says {word:?}: {said}");
    }
    assert!(!said.contains("panicked"), "{said}");
    Ok(())
}
