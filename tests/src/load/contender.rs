//! Relays and floors as programs under measurement, each on core 0 and fresh for each run.

use std::{
    fs,
    io::Write,
    net::UdpSocket,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use serde_json::Value;
use shared::transport::tls::Identity;
use tempfile::TempDir;

use super::{bench::Point, process};

/// The core of what is measured.
const SERVER_CORE: &str = "0";
/// The core of the load.
const LOAD_CORE: &str = "1";
/// How long a program may take to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum)]
pub(super) enum Contender {
    /// Our relay
    Relay,
    /// moq-relay-ietf, of moq-rs
    MoqRs,
    /// moq-relay, of moq-dev
    MoqDev,
    /// quinn, a task for each connection
    Quinn,
    /// quinn-proto, one loop
    Proto,
}

impl Contender {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::MoqRs => "moq-relay-ietf 0.8.0",
            Self::MoqDev => "moq-relay 0.17.10",
            Self::Quinn => "quinn alone",
            Self::Proto => "quinn-proto alone",
        }
    }

    pub(super) fn is_floor(self) -> bool {
        matches!(self, Self::Quinn | Self::Proto)
    }
}

/// Where programs are found and results are put.
#[derive(Debug, Clone, Args)]
pub(super) struct Files {
    /// Our relay's program; by default the one beside this program
    #[arg(long, value_name = "FILE")]
    relay: Option<PathBuf>,
    /// Folder of the peers' programs
    #[arg(long, value_name = "DIR", default_value = ".cache/peers")]
    peers: PathBuf,
    /// File that JSON lines are added to
    #[arg(long, value_name = "FILE", default_value = ".cache/bench/results.jsonl")]
    pub(super) out: PathBuf,
}

impl Files {
    /// Makes ready to measure and to write.
    pub(super) fn place(&self) -> Result<Place> {
        if let Some(folder) = self.out.parent() {
            fs::create_dir_all(folder)?;
        }
        Place::new(self.relay.clone(), self.peers.clone())
    }

    /// Adds a result.
    pub(super) fn write(&self, result: &Value) -> Result<()> {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(&self.out)?;
        writeln!(file, "{result}").with_context(|| format!("writing {}", self.out.display()))
    }
}

/// Where programs and certificates are.
#[derive(Debug)]
pub(super) struct Place {
    relay: PathBuf,
    peers: PathBuf,
    certificate: TempDir,
}

/// A running contender. Dropping it ends it.
#[derive(Debug)]
struct Server {
    child: Child,
    url: String,
    _data: TempDir,
}

impl Place {
    fn new(relay: Option<PathBuf>, peers: PathBuf) -> Result<Self> {
        process::before_others();
        let own = std::env::current_exe()?;
        let relay = relay.unwrap_or_else(|| own.with_file_name("relay"));
        let certificate = TempDir::new()?;
        Identity::self_made(certificate.path(), &[], SystemTime::now())?;
        Ok(Self { relay, peers, certificate })
    }

    /// Whether its program is there.
    pub(super) fn has(&self, contender: Contender) -> bool {
        match contender {
            Contender::Relay => self.relay.exists(),
            Contender::MoqRs => self.peer("moq-relay-ietf").exists(),
            Contender::MoqDev => self.peer("moq-relay").exists(),
            Contender::Quinn | Contender::Proto => true,
        }
    }

    /// Loads a fresh contender once.
    pub(super) fn measure(&self, contender: Contender, point: &Point, secs: f64) -> Result<Value> {
        let server = self.start(contender, point)?;
        let mut command = pinned(LOAD_CORE, &std::env::current_exe()?);
        command
            .args(["run", "--url", &server.url, "--pid", &server.child.id().to_string()])
            .args(["--shape", &point.shape, "--secs", &secs.to_string()])
            .args(["--subscribers", &point.subscribers.to_string()]);
        if contender.is_floor() {
            command.arg("--floor");
        }
        command.args(point.variant.arguments());
        let output = command.stderr(Stdio::inherit()).output().context("starting the load")?;
        drop(server);
        if !output.status.success() {
            bail!("the load ended with {}", output.status);
        }
        let mut result: Value = serde_json::from_slice(&output.stdout).context("the load's result")?;
        result["contender"] = contender.name().into();
        Ok(result)
    }

    fn peer(&self, name: &str) -> PathBuf {
        self.peers.join("bin").join(name)
    }

    fn start(&self, contender: Contender, point: &Point) -> Result<Server> {
        let data = TempDir::new()?;
        let port = UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port();
        let listen = format!("127.0.0.1:{port}");
        let (cert, key) =
            (self.certificate.path().join("certificate.pem"), self.certificate.path().join("key.pem"));
        let text = |path: &Path| path.display().to_string();
        let (cert, key) = (text(&cert), text(&key));
        let mut command = match contender {
            Contender::Relay => {
                let mut command = pinned(SERVER_CORE, &self.relay);
                command
                    .args(["serve", "--open", "--log", "error", "--http", "127.0.0.1:0", "--listen", &listen])
                    .args(["--data", &text(data.path()), "--cert", &cert, "--key", &key])
                    .args(["--max-connections", "10000"]);
                command
            }
            Contender::MoqRs => {
                let mut command = pinned(SERVER_CORE, &self.peer("moq-relay-ietf"));
                command
                    .args(["--bind", &listen, "--tls-cert", &cert, "--tls-key", &key])
                    .args(["--coordinator-file", &text(&data.path().join("coordinator.json"))]);
                command
            }
            Contender::MoqDev => {
                let mut command = pinned(SERVER_CORE, &self.peer("moq-relay"));
                command
                    .args(["--listen", &listen, "--listen-tls-cert", &cert, "--listen-tls-key", &key])
                    .args(["--auth-public", "**"]);
                command
            }
            Contender::Quinn | Contender::Proto => {
                let kind = if contender == Contender::Quinn { "quinn" } else { "proto" };
                let mut command = pinned(SERVER_CORE, &std::env::current_exe()?);
                command
                    .args(["floor", kind, "--listen", &listen, "--cert", &cert, "--key", &key])
                    .args(["--shape", &point.shape])
                    .args(["--subscribers", &point.subscribers.to_string()]);
                command
            }
        };
        let log = fs::File::create(data.path().join("log"))?;
        command.env("RUST_LOG", "off").stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| format!("starting {}", contender.name()))?;
        let scheme = point.variant.scheme();
        let mut server = Server { child, url: format!("{scheme}://localhost:{port}"), _data: data };
        std::thread::sleep(Duration::from_millis(if contender.is_floor() { 100 } else { 600 }));
        if let Some(status) = server.child.try_wait()? {
            let log = fs::read_to_string(server._data.path().join("log")).unwrap_or_default();
            bail!("{} ended at once with {status}: {log}", contender.name());
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What is measured has been measured: it need not end gracefully.
        let _ = self.child.kill();
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A program that runs on one core.
fn pinned(core: &str, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", core]).arg(program);
    command
}
