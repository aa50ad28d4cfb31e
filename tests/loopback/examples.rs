//! The examples of `shared`, as a newcomer runs them.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use anyhow::Result;
use tests::{
    process::{Process, program},
    world::{Over, PATIENCE, World},
};

#[test]
fn lines_that_one_example_publishes_are_printed_by_the_other() -> Result<()> {
    let world = World::with(&["--open"])?;
    for over in [Over::Quic, Over::WebTransport] {
        let url = world.url(over);
        let arguments = [url.as_str(), "lab/desk", "notes"];
        let (input, mut lines) = std::io::pipe()?;
        let mut publish = Command::new(program("examples/publish"));
        let mut publisher = Process::spawn("publish", publish.args(arguments), Stdio::from(input))?;
        publisher.error_line("announced", PATIENCE)?;
        let mut subscribe = Command::new(program("examples/subscribe"));
        let mut subscriber = Process::spawn("subscribe", subscribe.args(arguments), Stdio::null())?;
        subscriber.error_line("subscribed", PATIENCE)?;
        for line in ["one", "two", "three"] {
            writeln!(lines, "{line}")?;
            subscriber.line(&format!("/0 {line}"), PATIENCE)?;
        }
        drop((lines, publish));
        publisher.wait_for(0, PATIENCE)?;
        subscriber.error_line("TRACK_ENDED", PATIENCE)?;
        subscriber.wait_for(0, PATIENCE)?;
        assert_eq!(subscriber.output().len(), 3, "{:?}", subscriber.output());
    }
    Ok(())
}
