//! What runs in an app's root, and what it sees of the host (`[service]`).
//! It holds nothing of how systemd is told: that is `plan`.
//! The keys are those of veneer.app(5).

use crate::name::{AppId, UserName};
use crate::path::AbsPath;
use crate::unit::{Arg, Directive, EnvVar, Text};

/// What runs (`[service]`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// `Type=`.
    pub kind: ServiceType,
    /// Program and arguments; the program is an absolute path in the image.
    pub exec: Vec<Arg>,
    /// Who runs it.
    pub user: User,
    /// Its environment, sorted by name.
    pub environment: Vec<EnvVar>,
    /// Its sandbox.
    pub profile: Profile,
    /// Whether it has a state directory, `/var/lib/ID` inside.
    pub state: State,
    /// What of the host it sees.
    pub binds: Vec<Bind>,
    /// Its credentials: name and file on the host.
    pub credentials: Vec<Credential>,
    /// What its socket listens on; no socket if empty.
    pub listen: Vec<Listen>,
    /// When its timer starts it; no timer if empty (systemd.time(7)).
    pub schedule: Vec<Text>,
    /// Apps it starts after.
    pub after: Vec<AppId>,
    /// Apps it needs, and starts after.
    pub requires: Vec<AppId>,
    /// Everything else for `[Service]`, in the order written.
    pub directives: Vec<Directive>,
}

/// `Type=` of an app's service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServiceType {
    /// Started when its program has been executed.
    #[default]
    Exec,
    /// Started when it says READY=1.
    Notify,
    /// Runs to its end.
    Oneshot,
}

impl ServiceType {
    /// Every name.
    pub const NAMES: [&str; 3] = ["exec", "notify", "oneshot"];

    /// systemd's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exec => "exec",
            Self::Notify => "notify",
            Self::Oneshot => "oneshot",
        }
    }
}

/// Who runs an app (`service.user`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum User {
    /// A dynamic user of the app's own.
    Dynamic,
    /// A user of the host, by name.
    Named(UserName),
}

/// Whether an app has a state directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// `StateDirectory=ID`.
    Kept,
    /// None.
    None,
}

/// A sandbox profile (`service.profile`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// As tight as a network service can be; part of `app@.service` itself.
    #[default]
    Strict,
    /// As portable services' `default`.
    Default,
    /// `default` without a network.
    Nonetwork,
    /// Nearly none.
    Trusted,
}

impl Profile {
    /// Every name.
    pub const NAMES: [&str; 4] = ["strict", "default", "nonetwork", "trusted"];

    /// The name of its file in `/usr/lib/veneer/profiles`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Default => "default",
            Self::Nonetwork => "nonetwork",
            Self::Trusted => "trusted",
        }
    }
}

/// A path of the host seen in an app's root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    /// On the host.
    pub source: AbsPath,
    /// In the app's root.
    pub target: AbsPath,
    /// Whether the app may write there.
    pub access: Access,
    /// What happens if the source is missing.
    pub missing: Missing,
}

/// Whether something may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Only read.
    ReadOnly,
    /// Read and written.
    ReadWrite,
}

/// What a missing source of a bind means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The app does not start.
    Fails,
    /// The bind is left out.
    Ignored,
}

/// A credential (systemd.exec(5), `LoadCredential=`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Its name: a clean file name without `:`.
    pub name: Box<str>,
    /// The file on the host.
    pub file: AbsPath,
}

/// What a socket listens on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// `ListenStream=`: a port, `ADDRESS:PORT`, `[V6]:PORT`, an absolute path or `@abstract`.
    Stream(Text),
    /// `ListenDatagram=`, written `udp:…` or `dgram:…`.
    Datagram(Text),
}
