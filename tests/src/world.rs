//! A relay, publishers and players that find each other, as real processes on free ports.

use std::{
    net::{SocketAddr, UdpSocket},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;

use crate::process::Process;

/// How long anything may take to come up on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A folder with a relay in it. Dropping it ends the relay and removes the folder.
#[derive(Debug)]
pub struct World {
    relay: Process,
    moqt: SocketAddr,
    http: SocketAddr,
    status: SocketAddr,
    hash: String,
    folder: TempDir,
}

/// How a program reaches the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// Raw QUIC.
    Quic,
    /// WebTransport.
    WebTransport,
}

impl World {
    /// Starts a relay on free ports with an empty data folder.
    ///
    /// # Errors
    /// With what the relay said, where it does not come up.
    pub fn new() -> Result<Self> {
        Self::with(&[])
    }

    /// As [`World::new`], with further arguments for `relay serve`.
    ///
    /// # Errors
    /// With what the relay said, where it does not come up.
    pub fn with(arguments: &[&str]) -> Result<Self> {
        let folder = TempDir::new().context("making a folder for the test")?;
        let relay = serve(&data_of(&folder), "127.0.0.1:0", "127.0.0.1:0", arguments)?;
        let ready = ready(&relay)?;
        let address = |key: &str| -> Result<SocketAddr> {
            Ok(ready[key].as_str().with_context(|| format!("{ready} lacks {key}"))?.parse()?)
        };
        let (moqt, http, status) = (address("moqt")?, address("http")?, address("status")?);
        let hash = ready["certHash"].as_str().context("the relay tells its certificate's hash")?.to_owned();
        Ok(Self { relay, moqt, http, status, hash, folder })
    }

    /// Kills the relay without a word.
    pub fn kill_relay(&mut self) {
        self.relay.kill();
    }

    /// Starts the relay again where it was, with the same data.
    ///
    /// # Errors
    /// With what the relay said, where it does not come up.
    pub fn start_relay(&mut self) -> Result<()> {
        self.relay.kill();
        self.relay = serve(&data_of(&self.folder), &self.moqt.to_string(), &self.http.to_string(), &[])?;
        let ready = ready(&self.relay)?;
        anyhow::ensure!(ready["certHash"] == self.hash.as_str(), "the certificate is kept: {ready}");
        Ok(())
    }

    /// The relay's process.
    pub fn relay(&mut self) -> &mut Process {
        &mut self.relay
    }

    /// Waits until the relay says this on standard error.
    ///
    /// # Errors
    /// With what it said, where it does not.
    pub fn relay_says(&self, text: &str) -> Result<String> {
        self.relay.error_line(text, PATIENCE)
    }

    /// Where the relay listens for MoQT.
    pub fn moqt(&self) -> SocketAddr {
        self.moqt
    }

    /// Base URL of the relay's pages.
    pub fn http(&self) -> String {
        format!("http://{}", self.http)
    }

    /// Where the relay tells operators how it is.
    pub fn status(&self) -> SocketAddr {
        self.status
    }

    /// Hash of the relay's certificate.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The relay's data folder.
    pub fn data(&self) -> PathBuf {
        data_of(&self.folder)
    }

    /// A path in the test's folder.
    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// URL of the relay.
    pub fn url(&self, over: Over) -> String {
        match over {
            Over::Quic => format!("moqt://{}", self.moqt),
            Over::WebTransport => format!("https://{}/", self.moqt),
        }
    }

    /// Puts a broadcast on air in `room`.
    ///
    /// # Errors
    /// Where the program cannot be started.
    pub fn publisher(&self, over: Over, room: &str, arguments: &[&str]) -> Result<Process> {
        let token = self.token(room, "host", &[])?;
        let all = [&["--token", &token], arguments].concat();
        self.client("publisher", &self.url(over), room, &all)
    }

    /// A token of `relay token` for a room, with further arguments.
    ///
    /// # Errors
    /// With what the program said, where it makes none.
    pub fn token(&self, room: &str, role: &str, arguments: &[&str]) -> Result<String> {
        let data = self.data().display().to_string();
        let all = [&["token", "--room", room, "--role", role, "--data", &data], arguments].concat();
        let mut relay = Process::start("relay", &all)?;
        let code = relay.wait(PATIENCE)?;
        anyhow::ensure!(code.success(), "relay token: {}", relay.errors());
        Ok(relay.output().concat().trim().to_owned())
    }

    /// Watches `room` without a display, with one line of statistics a second.
    ///
    /// # Errors
    /// Where the program cannot be started.
    pub fn player(&self, over: Over, room: &str, arguments: &[&str]) -> Result<Process> {
        let all = [&["--display", "none", "--stats", "json"], arguments].concat();
        self.client("player", &self.url(over), room, &all)
    }

    /// Starts `program` against any URL, trusting the relay's certificate.
    ///
    /// # Errors
    /// Where the program cannot be started.
    pub fn client(&self, program: &str, url: &str, room: &str, arguments: &[&str]) -> Result<Process> {
        let all = [&["--relay", url, "--cert-hash", &self.hash, "--room", room], arguments].concat();
        Process::start(program, &all)
    }
}

/// The last line of statistics of a player that has ended.
///
/// # Errors
/// Where there is none.
pub fn final_stats(player: &Process) -> Result<Value> {
    let lines = player.output();
    let last =
        lines.last().with_context(|| format!("the player printed nothing; it said\n{}", player.errors()))?;
    let stats: Value = serde_json::from_str(last).with_context(|| format!("{last} is no JSON"))?;
    anyhow::ensure!(stats["final"] == true, "the last line is not final: {last}");
    Ok(stats)
}

/// A UDP port that nobody listens on.
///
/// # Errors
/// Where the system has none.
pub fn free_udp_port() -> Result<u16> {
    Ok(UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn data_of(folder: &TempDir) -> PathBuf {
    folder.path().join("data")
}

fn serve(data: &Path, listen: &str, http: &str, arguments: &[&str]) -> Result<Process> {
    let data = data.display().to_string();
    let all = [&["serve", "--data", &data, "--listen", listen, "--http", http], arguments].concat();
    Process::start("relay", &all)
}

fn ready(relay: &Process) -> Result<Value> {
    Ok(serde_json::from_str(&relay.line("certHash", PATIENCE)?)?)
}
