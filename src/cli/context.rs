//! What every verb works with: the root, the terminal, systemd if it runs.
//! It reads the configuration for them and decides nothing.
//! With `--root` there is no systemd to talk to, whatever runs on this machine.

use super::fault::fault;
use super::show::{PROPERTIES, States};
use crate::config::{AppText, ConfigText};
use crate::generate::Live;
use crate::host::systemctl::Systemctl;
use crate::host::terminal::Terminal;
use crate::host::{below_root, config_files, live_marks};
use crate::live::LiveMark;
use crate::problem::nearest;
use crate::sysexits::Exit;
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};

pub(super) struct Context {
    pub(super) root: PathBuf,
    pub(super) terminal: Terminal,
    pub(super) systemd: Option<Systemctl>,
}

impl Context {
    pub(super) fn new(root: PathBuf) -> Result<Self> {
        let root = below_root::root(&root)
            .map_err(|error| fault(Exit::NoInput, format!("--root={}: {error}", root.display())))?;
        let systemd = if root == Path::new("/") { Systemctl::running() } else { None };
        Ok(Self { root, terminal: Terminal::of_stdout(), systemd })
    }

    /// An absolute path below the root.
    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    pub(super) fn config(&self) -> ConfigText {
        config_files::read(&self.root)
    }

    pub(super) fn live(&self) -> Vec<Live> {
        live_marks::read_units(&self.root)
    }

    /// What is marked as up, as it was set up.
    pub(super) fn marks(&self) -> Vec<LiveMark> {
        live_marks::read_all(&self.root)
    }

    /// systemd, for what cannot be done without it.
    pub(super) fn need_systemd(&self, act: &str) -> Result<Systemctl> {
        self.systemd.ok_or_else(|| fault(Exit::Unavailable, format!("{act} needs a running systemd, and no --root")))
    }

    /// The states of all units that belong to apps, in one call; nothing where no systemd runs.
    pub(super) fn states(&self, units: &[String]) -> Result<States> {
        match self.systemd {
            Some(systemd) => systemd.show(units, PROPERTIES).map(|text| States::parse(&text)),
            None => Ok(States::default()),
        }
        .context("asking systemd for the state of the apps")
    }
}

/// Patterns of all units that belong to apps; systemd matches them with what it has loaded.
pub(super) fn unit_patterns() -> Vec<String> {
    let patterns = ["app@*.service", "app-*.socket", "app-*.timer", "veneer-*@*.service", "run-veneer-apps-*.mount"];
    patterns.map(str::to_owned).to_vec()
}

/// The app that was asked for, or the nearest there is.
pub(super) fn find<'a>(config: &'a ConfigText, id: &str) -> Result<&'a AppText> {
    config.app(id).ok_or_else(|| unknown(config, id))
}

/// The refusal of an id that no file has.
pub(super) fn unknown(config: &ConfigText, id: &str) -> anyhow::Error {
    let near = nearest(id, config.apps.iter().map(|app| app.id.as_str()));
    let hint = match near {
        Some(near) => format!(": did you mean {near:?}?"),
        None => format!(": there is no apps.d/{id}.toml in any configuration directory"),
    };
    fault(Exit::NoInput, format!("there is no app {id:?}{hint}"))
}
