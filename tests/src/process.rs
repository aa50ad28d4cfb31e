//! One program that runs beside the test: its output as it comes, its end.

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

/// A running program. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    output: Arc<Lines>,
    errors: Arc<Lines>,
}

/// Lines of one stream, growing while the program runs.
#[derive(Debug, Default)]
struct Lines {
    state: Mutex<(Vec<String>, Ended)>,
    grown: Condvar,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
enum Ended {
    #[default]
    No,
    Yes,
}

/// Path of one of the project's programs, built beside this test.
///
/// # Panics
/// Where it is not built: `make test` builds it first.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let folder = test.parent().and_then(|deps| deps.parent()).expect("a test stands in target/PROFILE/deps");
    let path = folder.join(name);
    assert!(
        path.exists(),
        "{} is not built: run `cargo build --workspace --bins --examples`",
        path.display()
    );
    path
}

impl Process {
    /// Starts one of the project's programs.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn start(name: &str, arguments: &[&str]) -> Result<Self> {
        Self::spawn(name, Command::new(program(name)).args(arguments), Stdio::null())
    }

    /// Starts one of the project's programs with `input` on its standard input, which then ends.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn start_with_input(name: &str, arguments: &[&str], input: Vec<u8>) -> Result<Self> {
        let mut process = Self::spawn(name, Command::new(program(name)).args(arguments), Stdio::piped())?;
        if let Some(mut stdin) = process.child.stdin.take() {
            // A program that ends before it has read everything is the test's to judge.
            thread::spawn(move || stdin.write_all(&input));
        }
        Ok(process)
    }

    /// Starts any command.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn spawn(name: &str, command: &mut Command, stdin: Stdio) -> Result<Self> {
        let mut child = command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        let output = Lines::follow(child.stdout.take());
        let errors = Lines::follow(child.stderr.take());
        Ok(Self { name: name.to_owned(), child, output, errors })
    }

    /// The first line of standard output that holds `text`, waiting for it.
    ///
    /// # Errors
    /// With all that was printed, where it does not come in time.
    pub fn line(&self, text: &str, patience: Duration) -> Result<String> {
        self.output.find(text, patience).with_context(|| self.report(&format!("did not print {text:?}")))
    }

    /// The first line of standard error that holds `text`, waiting for it.
    ///
    /// # Errors
    /// With all that was printed, where it does not come in time.
    pub fn error_line(&self, text: &str, patience: Duration) -> Result<String> {
        self.errors.find(text, patience).with_context(|| self.report(&format!("did not say {text:?}")))
    }

    /// All lines of standard output so far.
    pub fn output(&self) -> Vec<String> {
        self.output.all()
    }

    /// All of standard error so far.
    pub fn errors(&self) -> String {
        self.errors.all().join("\n")
    }

    /// Its process ID.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end, as Ctrl-C does.
    ///
    /// # Errors
    /// Where the signal cannot be sent.
    pub fn interrupt(&self) -> Result<()> {
        let status = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status()?;
        anyhow::ensure!(status.success(), "{} has ended already\n{}", self.name, self.errors());
        Ok(())
    }

    /// Ends it without a word, as a power failure does.
    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// With all that was printed, where it does not end in time.
    pub fn wait(&mut self, patience: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait()? {
                self.output.wait_for_end();
                self.errors.wait_for_end();
                return Ok(status);
            }
            if Instant::now() >= deadline {
                self.kill();
                bail!(self.report("did not end"));
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for its end and checks its exit code.
    ///
    /// # Errors
    /// With all that was printed, where it ends otherwise or not in time.
    pub fn wait_for(&mut self, code: i32, patience: Duration) -> Result<()> {
        let status = self.wait(patience)?;
        anyhow::ensure!(
            status.code() == Some(code),
            self.report(&format!("ended with {status}, not {code}"))
        );
        Ok(())
    }

    fn report(&self, what: &str) -> String {
        let output = self.output();
        let tail = &output[output.len().saturating_sub(5)..];
        format!("{} {what}; it printed\n{}\nand said\n{}", self.name, tail.join("\n"), self.errors())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Lines {
    /// Reads a stream to its end on a thread that ends with it.
    fn follow(stream: Option<impl Read + Send + 'static>) -> Arc<Self> {
        let lines = Arc::new(Self::default());
        let Some(stream) = stream else { return lines };
        let writer = Arc::clone(&lines);
        thread::spawn(move || {
            let mut reader = BufReader::new(stream);
            let mut line = Vec::new();
            while matches!(reader.read_until(b'\n', &mut line), Ok(1..)) {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                writer.state.lock().unwrap_or_else(PoisonError::into_inner).0.push(text);
                writer.grown.notify_all();
                line.clear();
            }
            writer.state.lock().unwrap_or_else(PoisonError::into_inner).1 = Ended::Yes;
            writer.grown.notify_all();
        });
        lines
    }

    fn all(&self) -> Vec<String> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    fn find(&self, text: &str, patience: Duration) -> Result<String> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = |state: &mut (Vec<String>, Ended)| {
            state.1 == Ended::No && !state.0.iter().any(|l| l.contains(text))
        };
        let (state, _) =
            self.grown.wait_timeout_while(state, patience, missing).unwrap_or_else(PoisonError::into_inner);
        state.0.iter().find(|line| line.contains(text)).cloned().context("waited in vain")
    }

    fn wait_for_end(&self) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // A grandchild may keep the stream open; what has come by then is what counts.
        let _ended =
            self.grown.wait_timeout_while(state, Duration::from_secs(2), |state| state.1 == Ended::No);
    }
}
