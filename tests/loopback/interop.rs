//! The interop runner's test client against our relay, as the runner calls it.

use std::process::{Command, Output};

use anyhow::Result;
use tests::{
    process::program,
    world::{Over, World},
};

/// The cases of the runner, in the order in which they are run.
const CASES: [&str; 6] = [
    "setup-only",
    "announce-only",
    "publish-namespace-done",
    "subscribe-error",
    "announce-subscribe",
    "subscribe-before-announce",
];

fn client(environment: &[(&str, &str)], arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new(program("moqt-interop-client"));
    for variable in ["RELAY_URL", "TESTCASE", "TLS_DISABLE_VERIFY", "VERBOSE"] {
        command.env_remove(variable);
    }
    Ok(command.envs(environment.iter().copied()).args(arguments).output()?)
}

/// Lines of the report that are test points.
fn points(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    let is_point = |line: &&str| line.starts_with("ok ") || line.starts_with("not ok ");
    text.lines().filter(is_point).map(str::to_owned).collect()
}

#[test]
fn every_case_of_the_interop_runner_passes_over_both_transports() -> Result<()> {
    let world = World::with(&["--open"])?;
    let expected: Vec<String> =
        CASES.iter().zip(1..).map(|(case, number)| format!("ok {number} - {case}")).collect();
    for over in [Over::Quic, Over::WebTransport] {
        let output = client(&[], &["--relay", &world.url(over), "--tls-disable-verify"])?;
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.starts_with("TAP version 14\n") && text.contains("\n1..6\n"), "{text}");
        assert_eq!(points(&output), expected, "{over:?}: {text}");
        assert_eq!(output.status.code(), Some(0), "{over:?}: {text}");
    }
    Ok(())
}

#[test]
fn the_interop_client_keeps_the_runners_contract() -> Result<()> {
    let listed = client(&[], &["--list"])?;
    assert_eq!(String::from_utf8_lossy(&listed.stdout).lines().collect::<Vec<_>>(), CASES);

    let world = World::with(&["--open"])?;
    let url = world.url(Over::Quic);
    let environment = [("RELAY_URL", url.as_str()), ("TESTCASE", "setup-only"), ("TLS_DISABLE_VERIFY", "1")];
    let one = client(&environment, &[])?;
    assert_eq!((points(&one), one.status.code()), (vec!["ok 1 - setup-only".to_owned()], Some(0)));
    let over_environment = client(&environment, &["--test", "announce-only"])?;
    assert_eq!(points(&over_environment), ["ok 1 - announce-only"]);

    let unknown = client(&environment, &["--test", "no-such-case"])?;
    assert_eq!((points(&unknown), unknown.status.code()), (Vec::new(), Some(127)));
    // The relay's certificate is its own, which a client that verifies does not trust.
    let distrusting = client(&[], &["--relay", &url])?;
    let text = String::from_utf8_lossy(&distrusting.stdout);
    assert!(text.contains("\nnot ok 1 - setup-only\n") && text.contains("\nBail out! "), "{text}");
    assert_eq!(distrusting.status.code(), Some(1), "{text}");
    Ok(())
}
