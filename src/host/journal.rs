//! What our programs say: to the journal with fields, or to a terminal.
//! It says each thing in one place only, so that no unit's journal has a line twice.
//! Rules: systemd.journal-fields(7); `journalctl -u UNIT` also shows root's messages with `OBJECT_SYSTEMD_UNIT=UNIT`.

use super::journal_datagram::JournalDatagram;
use crate::message::MessageId;
use crate::name::{AppId, SessionName};
use std::io::Write as _;
use std::sync::OnceLock;
use tracing::Level;
use tracing_subscriber::layer::SubscriberExt as _;

/// An event with our fields; tracing wants their names at compile time.
macro_rules! emit {
    ($level:expr, $entry:expr, $text:expr) => {{
        let unit = $entry.unit();
        tracing::event!(
            $level,
            MESSAGE_ID = $entry.id.as_str(),
            OBJECT_SYSTEMD_UNIT = unit.as_deref(),
            VENEER_APP = $entry.app.map(|app| app.as_str()),
            VENEER_IMAGE = $entry.image,
            VENEER_ROOT_HASH = $entry.root_hash,
            VENEER_BLOCK = $entry.block,
            VENEER_SESSION = $entry.session.map(|session| session.as_str()),
            VENEER_OVERLAY = $entry.overlay,
            "{}",
            $text
        )
    }};
}

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Something did not work.
    Error,
    /// Something is not as it should be.
    Warning,
    /// Something happened.
    Info,
}

/// One thing to say.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// How much it matters.
    pub weight: Weight,
    /// Its kind.
    pub id: MessageId,
    /// The app it is about.
    pub app: Option<&'a AppId>,
    /// The image it is about.
    pub image: Option<&'a str>,
    /// The image's root hash.
    pub root_hash: Option<&'a str>,
    /// The damaged block.
    pub block: Option<&'a str>,
    /// The session it is about.
    pub session: Option<&'a SessionName>,
    /// The overlay over the host that it is about.
    pub overlay: Option<&'a str>,
}

impl<'a> Entry<'a> {
    /// An entry about an app.
    pub fn about(weight: Weight, id: MessageId, app: &'a AppId) -> Self {
        Self { weight, id, app: Some(app), image: None, root_hash: None, block: None, overlay: None, session: None }
    }

    /// An entry about an image that is no app's yet.
    pub fn about_image(weight: Weight, id: MessageId, image: Option<&'a str>) -> Self {
        Self { weight, id, app: None, image, root_hash: None, block: None, overlay: None, session: None }
    }

    /// An entry about a session of an app.
    pub fn about_session(weight: Weight, id: MessageId, app: &'a AppId, session: &'a SessionName) -> Self {
        Self { session: Some(session), ..Self::about(weight, id, app) }
    }

    /// An entry about an overlay over the host.
    pub fn about_overlay(weight: Weight, id: MessageId, overlay: &'a str) -> Self {
        Self { overlay: Some(overlay), ..Self::about_image(weight, id, None) }
    }

    /// The unit whose journal shows it as well.
    fn unit(&self) -> Option<String> {
        match (self.app, self.session, self.overlay) {
            (Some(app), None, _) => Some(format!("app@{app}.service")),
            (Some(app), Some(session), _) => Some(format!("veneer-clone-{app}@{session}.service")),
            (None, _, Some(name)) => Some(format!("veneer-overlay-host@{name}.service")),
            (None, _, None) => None,
        }
    }

    /// With the image's path.
    pub fn image(self, image: Option<&'a str>) -> Self {
        Self { image, ..self }
    }

    /// With the image's root hash.
    pub fn root_hash(self, root_hash: Option<&'a str>) -> Self {
        Self { root_hash, ..self }
    }

    /// Says it, one line.
    pub fn say(&self, journal: &Journal, text: &str) {
        journal.say(self, &text.replace('\n', " "));
    }
}

/// Where a program speaks.
#[derive(Debug)]
pub struct Journal {
    to: Sink,
    program: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sink {
    Journal,
    /// systemd reads our standard error and takes `<N>` for the priority (sd-daemon(3)).
    Prefixed,
    Plain,
    Nowhere,
}

/// Who runs us, as far as it decides where we speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// systemd, if the environment says so; else somebody at a terminal.
    Environment,
    /// udev, which says nothing.
    Udev,
}

/// Whether standard error is the very stream that systemd gave the service (systemd.exec(5), `$JOURNAL_STREAM`):
/// whoever is below a service, but reads what is printed, gets it printed.
fn is_stream_of_service() -> bool {
    let here = rustix::fs::fstat(std::io::stderr()).map(|stat| format!("{}:{}", stat.st_dev, stat.st_ino));
    std::env::var("JOURNAL_STREAM").is_ok_and(|stream| here.is_ok_and(|here| here == stream))
}

impl Journal {
    /// The journal alone, for what somebody at a terminal is told otherwise; nothing where there is none.
    pub fn only_journal(program: &'static str) -> Self {
        let to = if native(program) { Sink::Journal } else { Sink::Nowhere };
        Self { to, program }
    }

    /// Opens the journal for a program that runs as a service, standard error for one that does not.
    pub fn open(program: &'static str, caller: Caller) -> Self {
        let service = caller == Caller::Udev || is_stream_of_service();
        let to = match service {
            false => Sink::Plain,
            true if native(program) => Sink::Journal,
            true => Sink::Prefixed,
        };
        Self { to, program }
    }

    fn say(&self, entry: &Entry<'_>, text: &str) {
        match (self.to, entry.weight) {
            (Sink::Journal, Weight::Error) => emit!(Level::ERROR, entry, text),
            (Sink::Journal, Weight::Warning) => emit!(Level::WARN, entry, text),
            (Sink::Journal, Weight::Info) => emit!(Level::INFO, entry, text),
            // Nobody is left to tell if standard error is gone.
            (Sink::Prefixed, weight) => drop(writeln!(std::io::stderr(), "<{}>{text}", priority(weight))),
            (Sink::Nowhere, _) => {}
            (Sink::Plain, _) => drop(writeln!(std::io::stderr(), "{}: {text}", self.program)),
        }
    }
}

/// What was said is there, and known to be the unit's, before the program ends: the journal asks for the unit of a
/// sender that still runs.
impl Drop for Journal {
    fn drop(&mut self) {
        if self.to == Sink::Journal {
            // A journal that hangs has the entries all the same; only their unit may be missing.
            drop(JournalDatagram::connect().map(JournalDatagram::settle));
        }
    }
}

/// syslog(3)'s numbers.
fn priority(weight: Weight) -> u8 {
    match weight {
        Weight::Error => 3,
        Weight::Warning => 4,
        Weight::Info => 6,
    }
}

/// Whether the journal's own socket takes what we say: opened once, however often a program asks.
fn native(program: &'static str) -> bool {
    static OPENED: OnceLock<bool> = OnceLock::new();
    *OPENED.get_or_init(|| open_native(program))
}

fn open_native(program: &'static str) -> bool {
    use tracing_journald::{Priority, PriorityMappings};
    let Ok(layer) = tracing_journald::layer() else { return false };
    let layer = layer
        .with_field_prefix(None)
        .with_syslog_identifier(program.to_owned())
        .with_priority_mappings(PriorityMappings { info: Priority::Informational, ..PriorityMappings::new() });
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer)).is_ok()
}
