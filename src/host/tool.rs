//! Another program run to its end, or ended when nothing comes of it any more.
//! It knows neither words nor meaning: `pull::words` and `pull::fault` do.
//! What it says is kept for a complaint, its last part only: a registry may make it say any amount.

use crate::verity::Fault;
use anyhow::{Context, Result};
use std::collections::VecDeque;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often it is looked at.
const PAUSE: Duration = Duration::from_millis(100);
/// What is kept of what it says.
const KEPT: usize = 64 << 10;

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// As it should.
    Well,
    /// With an error.
    Badly {
        /// What it said last.
        said: String,
    },
    /// It was ended, since nothing came for too long.
    Silent {
        /// What it said last.
        said: String,
    },
}

/// Directories that stand in for those of a user.
#[derive(Clone, Copy, Debug)]
pub struct Homes<'a> {
    /// Where it is at home.
    pub home: &'a Path,
    /// Where it puts what only matters while it runs.
    pub run: &'a Path,
}

/// A program and the package that has it.
#[derive(Clone, Copy, Debug)]
pub struct Package {
    /// Its name in Debian.
    pub name: &'static str,
    /// The least version.
    pub version: &'static str,
}

/// Runs it in a directory of its own, with nothing of our environment but the path, and no standard input.
/// `activity` is a number that changes as long as something comes; `tell` hears it with each look.
pub fn run(
    words: &[String],
    homes: Homes<'_>,
    package: Package,
    patience: Duration,
    mut look: impl FnMut(usize) -> u64,
) -> Result<Ended> {
    let mut child = start(words, homes, package)?;
    let (kept, readers) = listen(&mut child);
    let (mut last, mut since) = (0, Instant::now());
    let ended = loop {
        let status = child.try_wait().with_context(|| format!("waiting for {}", program(words)))?;
        let spoken = kept.lock().unwrap_or_else(PoisonError::into_inner).total;
        let now = look(spoken);
        if now != last {
            (last, since) = (now, Instant::now());
        }
        match status {
            Some(status) if status.success() => break None,
            Some(_) => break Some(false),
            None if since.elapsed() >= patience => {
                // It may have ended by itself at this moment, which is as good.
                let _ = child.kill();
                let _ = child.wait();
                break Some(true);
            }
            None => std::thread::sleep(PAUSE),
        }
    };
    // A child of its own may keep the pipe open: what it said so far is enough then.
    if ended != Some(true) {
        readers.into_iter().for_each(|reader| drop(reader.join()));
    }
    let said = kept.lock().unwrap_or_else(PoisonError::into_inner).text();
    Ok(match ended {
        None => Ended::Well,
        Some(false) => Ended::Badly { said },
        Some(true) => Ended::Silent { said },
    })
}

fn program(words: &[String]) -> &str {
    words.first().map_or("", String::as_str)
}

fn start(words: &[String], homes: Homes<'_>, package: Package) -> Result<Child> {
    let name = program(words);
    let mut command = Command::new(name);
    command.args(words.iter().skip(1)).current_dir(homes.home).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    // Whatever it would look for in a user's home or run-time directory is not there.
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_else(|| "/usr/sbin:/usr/bin:/sbin:/bin".into()));
    for variable in ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "TMPDIR"] {
        command.env(variable, homes.home);
    }
    command.env("XDG_RUNTIME_DIR", homes.run);
    for proxy in ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"] {
        command.envs(std::env::var_os(proxy).map(|value| (proxy, value)));
    }
    command.spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            let Package { name: package, version } = package;
            Fault::unavailable(format!("{name} is missing: install the package {package}, version {version} or later"))
                .into()
        }
        _ => anyhow::Error::new(error).context(format!("running {name}")),
    })
}

/// The last part of what was said.
#[derive(Default)]
struct Kept {
    bytes: VecDeque<u8>,
    total: usize,
}

impl Kept {
    fn add(&mut self, bytes: &[u8]) {
        self.total += bytes.len();
        self.bytes.extend(bytes);
        let much = self.bytes.len().saturating_sub(KEPT);
        self.bytes.drain(..much);
    }

    fn text(&mut self) -> String {
        String::from_utf8_lossy(self.bytes.make_contiguous()).into_owned()
    }
}

fn listen(child: &mut Child) -> (Arc<Mutex<Kept>>, Vec<JoinHandle<()>>) {
    let kept = Arc::new(Mutex::new(Kept::default()));
    let streams: [Option<Box<dyn Read + Send>>; 2] = [
        child.stdout.take().map(|stream| Box::new(stream) as Box<dyn Read + Send>),
        child.stderr.take().map(|stream| Box::new(stream) as Box<dyn Read + Send>),
    ];
    let readers = streams.into_iter().flatten().map(|mut stream| {
        let kept = Arc::clone(&kept);
        std::thread::spawn(move || {
            let mut buffer = [0; 8 << 10];
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                kept.lock().unwrap_or_else(PoisonError::into_inner).add(&buffer[..count]);
            }
        })
    });
    let readers = readers.collect();
    (kept, readers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn homes() -> Homes<'static> {
        Homes { home: Path::new("/"), run: Path::new("/") }
    }

    fn ran(script: &str, patience: Duration) -> Result<Ended> {
        let words = ["sh", "-c", script].map(str::to_owned);
        run(&words, homes(), Package { name: "dash", version: "0" }, patience, |spoken| spoken as u64)
    }

    #[test]
    fn what_a_program_says_last_is_kept() {
        let minute = Duration::from_secs(60);
        assert_eq!(ran("exit 0", minute).expect("run"), Ended::Well);
        assert_eq!(ran("echo no >&2; exit 3", minute).expect("run"), Ended::Badly { said: "no\n".into() });
        let Ended::Badly { said } = ran("yes | head -c 300000; echo end; exit 1", minute).expect("run") else {
            panic!()
        };
        assert!(said.len() == KEPT && said.ends_with("end\n"));
        assert_eq!(ran("test \"$HOME\" = / && test -z \"$CARGO_MANIFEST_DIR\"", minute).expect("run"), Ended::Well);
    }

    #[test]
    fn silence_ends_a_program_and_words_do_not() {
        assert!(matches!(ran("echo a; exec sleep 60", Duration::from_millis(300)), Ok(Ended::Silent { .. })));
        let talking = "for i in 1 2 3 4 5 6; do echo $i; sleep 0.3; done";
        assert_eq!(ran(talking, Duration::from_secs(3)).expect("run"), Ended::Well);
    }

    #[test]
    fn a_program_that_is_not_there_is_named_with_its_package() {
        let words = ["no-such-program".to_owned()];
        let package = Package { name: "skopeo", version: "1.9" };
        let error = run(&words, homes(), package, PAUSE, |_| 0).expect_err("missing");
        assert_eq!(error.to_string(), "no-such-program is missing: install the package skopeo, version 1.9 or later");
    }
}
