//! The room: what native clients say reaches everybody, in order, once.

use std::time::Duration;

use anyhow::Result;
use serde_json::Value;
use tests::{
    process::Process,
    world::{Over, PATIENCE, World},
};

/// What a client heard of one kind.
fn heard(client: &Process, kind: &str) -> Vec<Value> {
    let lines = client.output();
    let all = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    all.filter(|line| line["heard"] == kind).collect()
}

/// The texts of chat that a client heard.
fn texts(client: &Process) -> Vec<String> {
    heard(client, "chat").iter().map(|line| line["chat"]["text"].as_str().unwrap_or("").to_owned()).collect()
}

fn chat(world: &World, arguments: &[&str]) -> Result<Process> {
    let url = world.url(Over::Quic);
    let all = [&["chat", "--relay", &url, "--cert-hash", world.hash(), "--room", "demo"], arguments].concat();
    Process::start("player", &[&all[..], &["--format", "json"]].concat())
}

#[test]
fn two_speak_and_a_third_hears_both_in_order() -> Result<()> {
    let world = World::with(&["--open"])?;
    let mut third = chat(&world, &["--viewer", "third", "--watch", "20s"])?;
    third.line("\"connected\"", PATIENCE)?;
    let said = |who: &str| -> Vec<String> { (0..4).map(|number| format!("{who} {number}")).collect() };
    let mut speakers = Vec::new();
    for who in ["ann", "bob"] {
        let texts = said(who);
        let mut arguments = vec!["--viewer", who, "--name", who, "--like", "120"];
        for text in &texts {
            arguments.extend(["--say", text]);
        }
        speakers.push(chat(&world, &arguments)?);
    }
    for speaker in &mut speakers {
        speaker.wait_for(0, PATIENCE)?;
    }
    third.wait_for(0, PATIENCE)?;
    let all = texts(&third);
    for who in ["ann", "bob"] {
        let of: Vec<&String> = all.iter().filter(|text| text.starts_with(who)).collect();
        assert_eq!(of, said(who).iter().collect::<Vec<_>>(), "in order, each once: {all:?}");
    }
    let tallies = heard(&third, "reactions");
    let likes = tallies.last().map(|tally| tally["reactions"]["totals"]["like"].clone());
    assert_eq!(likes, Some(240.into()), "{tallies:?}");
    // A late joiner gets the history, in the same order.
    let mut late = chat(&world, &["--viewer", "late", "--watch", "2s"])?;
    late.wait_for(0, PATIENCE)?;
    assert_eq!(texts(&late), all);
    Ok(())
}

#[test]
fn a_script_is_told_why_something_was_refused() -> Result<()> {
    let world = World::with(&["--open"])?;
    let mut client = chat(&world, &["--say", "fine", "--vote", "99:1"])?;
    client.wait_for(1, PATIENCE)?;
    assert!(client.errors().contains("not there"), "{}", client.errors());
    assert_eq!(heard(&client, "accepted").len(), 1);
    let mut person = chat(&world, &[])?;
    person.wait_for(1, PATIENCE)?;
    assert!(person.errors().contains("needs a terminal"), "{}", person.errors());
    Ok(())
}

#[test]
fn what_is_said_while_the_relay_is_away_is_said_once_it_is_back() -> Result<()> {
    let mut world = World::with(&["--open"])?;
    let mut client =
        chat(&world, &["--viewer", "ann", "--say", "a", "--say", "b", "--ask", "c", "--watch", "12s"])?;
    client.line("\"accepted\"", PATIENCE)?;
    world.kill_relay();
    std::thread::sleep(Duration::from_millis(500));
    world.start_relay_with(&["--open"])?;
    client.wait_for(0, PATIENCE)?;
    let all = texts(&client);
    assert_eq!(all, ["a", "b"], "in order, each once");
    Ok(())
}
