use std::io::Write;

use super::*;

fn serve(arguments: &[&str]) -> Result<Config, clap::Error> {
    let all = ["relay", "serve"].iter().chain(arguments);
    match read(all)?.command {
        Command::Serve(config) => Ok(*config),
        Command::Report(_) | Command::Token(_) => unreachable!("serve was asked for"),
    }
}

fn with_file(text: &str, arguments: &[&str]) -> Result<Config, clap::Error> {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(text.as_bytes()).expect("written");
    let path = file.path().to_str().expect("a path");
    serve(&[&["--config", path], arguments].concat())
}

#[test]
fn the_defaults_of_both_kinds_agree() {
    assert_eq!(serve(&[]).expect("defaults"), Config::new());
}

#[test]
fn an_option_goes_over_the_file() {
    let text =
        "listen = '127.0.0.1:1'\ncache-bytes = '2M'\nrooms = ['a', 'b']\nopen = true\nmax-connections = 7";
    let config = with_file(text, &["--listen", "127.0.0.1:2"]).expect("a configuration");
    assert_eq!(config.listen.port(), 2);
    assert_eq!(config.cache_bytes, ByteCount(2 << 20));
    assert_eq!(config.rooms.len(), 2);
    assert!(config.open);
    assert_eq!(config.max_connections, 7);
    assert_eq!(config.linger, Duration::from_secs(10));
}

#[test]
fn operators_are_told_on_this_machine_alone_unless_it_is_said() {
    let at = |arguments: &[&str], http: &str| {
        serve(arguments).expect("a configuration").status_addr(http.parse().expect("an address"))
    };
    let told = |text: &str| Some(text.parse().expect("an address"));
    assert_eq!(at(&[], "[::]:8080"), told("127.0.0.1:8081"));
    assert_eq!(at(&["--http", "127.0.0.1:0"], "127.0.0.1:41000"), told("127.0.0.1:0"));
    assert_eq!(at(&["--http", "0.0.0.0:65535"], "0.0.0.0:65535"), told("127.0.0.1:0"));
    assert_eq!(at(&["--status", "10.0.0.1:99"], "[::]:8080"), told("10.0.0.1:99"));
    assert_eq!(at(&["--status", "off"], "[::]:8080"), None);
}

#[test]
fn a_wrong_command_line_ends_with_2_and_says_what() {
    for (arguments, word) in [
        (&["--listen", "here"][..], "--listen"),
        (&["--cache-age", "soon"], "10s"),
        (&["--rooms", "a b"], "room name"),
        (&["--cert", "x.pem"], "--key"),
        (&["--congestion", "reno"], "cubic"),
        (&["--status", "8081"], "127.0.0.1:8081"),
        (&["--config", "/nowhere/relay.toml"], "/nowhere/relay.toml"),
    ] {
        let error = serve(arguments).expect_err("refused");
        assert_eq!(error.exit_code(), 2, "{error}");
        assert!(error.to_string().contains(word), "{word}: {error}");
    }
}

#[test]
fn unknown_keys_of_the_file_are_refused_by_name() {
    for (text, word) in
        [("lissten = 1", "lissten"), ("listen = 1.5", "listen"), ("= 1", "TOML"), ("[a]\nb=1", "a")]
    {
        let error = with_file(text, &[]).expect_err("refused");
        assert_eq!(error.exit_code(), 2, "{error}");
        assert!(error.to_string().contains(word), "{word}: {error}");
    }
}
