//! Why an app has no units: what `veneer-explain` says when the bare `app@ID.service` is started.
//! Pure: the configuration comes in, lines for the journal go out; it starts and changes nothing.
//! An app that is in order now was not so at the last reload, or has been written since.

use crate::config::{AppState, ConfigText, Host};
use crate::generate;
use crate::layout::CONFIG_DIRS;
use crate::message::{self, MessageId};
use crate::name::AppId;
use crate::problem::{Severity, nearest};
use crate::sysexits::Exit;

/// How bad a line is (syslog(3)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// `LOG_ERR`.
    Error = 3,
    /// `LOG_WARNING`.
    Warning = 4,
}

/// The answer: what is wrong, line by line, and how the program ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What kind of answer it is, for the catalog.
    pub message: MessageId,
    /// The lines; no two are the same.
    pub lines: Vec<(Priority, String)>,
    /// The exit code.
    pub exit: Exit,
}

impl Explanation {
    fn one(message: MessageId, exit: Exit, line: String) -> Self {
        Self { message, lines: vec![(Priority::Error, line)], exit }
    }
}

/// Why the app of this name has no units.
pub fn explain(config: &ConfigText, name: &str) -> Explanation {
    let id = match AppId::parse(name) {
        Ok(id) => id,
        Err(reason) => {
            return Explanation::one(message::UNKNOWN, Exit::NoInput, format!("{name:?} names no app: {reason}"));
        }
    };
    let Some(app) = config.app(id.as_str()) else {
        return Explanation::one(message::UNKNOWN, Exit::NoInput, unknown(config, &id));
    };
    if app.state() == AppState::Masked {
        let line = format!("app {id} is masked by {}, which is empty or a link to /dev/null", app.file.path);
        return Explanation::one(message::MASKED, Exit::Config, line);
    }
    let (host, _) = Host::load(config);
    let generated = generate::app(app, &host, None);
    if !generated.is_bad() {
        let line =
            format!("{} is in order, but systemd has not read it yet: run systemctl daemon-reload", app.file.path);
        return Explanation::one(message::NOT_LOADED, Exit::Config, line);
    }
    let mut lines: Vec<(Priority, String)> = Vec::new();
    for problem in &generated.problems {
        let priority = match problem.severity {
            Severity::Error => Priority::Error,
            Severity::Warning => Priority::Warning,
        };
        let line = (priority, problem.to_string());
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    if lines.iter().any(|(_, line)| line.ends_with(DENIED)) {
        let text = "this was asked without privileges, so it may not be all: veneer check says more";
        lines.push((Priority::Warning, text.to_owned()));
    }
    Explanation { message: message::BROKEN, lines, exit: Exit::Config }
}

/// How a file ends that only root may read (`host::config_files`); the generator is root, we are not.
const DENIED: &str = "permission denied";

fn unknown(config: &ConfigText, id: &AppId) -> String {
    let near = nearest(id.as_str(), config.apps.iter().map(|app| app.id.as_str()));
    // A directory that cannot be read may be why it is not found.
    let unread = config.problems.iter().find(|problem| problem.severity == Severity::Error && problem.place.is_none());
    match (near, unread) {
        (Some(near), _) => format!("there is no app {id:?}: did you mean app@{near}?", id = id.as_str()),
        (None, Some(problem)) => format!("there is no app {:?}, or it cannot be seen: {problem}", id.as_str()),
        (None, None) => {
            let dirs: Vec<String> = CONFIG_DIRS.iter().rev().map(|dir| format!("{dir}/apps.d")).collect();
            format!("there is no app {:?}: no {id}.toml in {}", id.as_str(), dirs.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Dir, File};

    fn config(apps: &[(&str, &str)]) -> ConfigText {
        let file = |name: &str, text: &str| (name.into(), File::new(format!("/etc/veneer/apps.d/{name}.toml"), text));
        let apps = apps.iter().map(|(name, text)| file(name, text)).collect();
        ConfigText::from_dirs(vec![Dir { apps, ..Dir::default() }])
    }

    fn said(config: &ConfigText, name: &str) -> Vec<String> {
        explain(config, name).lines.into_iter().map(|(_, line)| line).collect()
    }

    const GOOD: &str = "[image]\ndirectory = \"/opt/a\"\n[service]\nexec = [\"/bin/a\"]\n";

    #[test]
    fn an_unknown_app_is_told_from_its_neighbour() {
        let config = config(&[("hello", GOOD)]);
        assert_eq!(said(&config, "helo"), ["there is no app \"helo\": did you mean app@hello?"]);
        let wanted = "there is no app \"other\": no other.toml in /etc/veneer/apps.d, /run/veneer/apps.d, \
                      /usr/local/lib/veneer/apps.d, /usr/lib/veneer/apps.d";
        assert_eq!(said(&config, "other"), [wanted]);
        assert_eq!(explain(&config, "other").exit, Exit::NoInput);
        assert!(said(&config, "..x")[0].starts_with("\"..x\" names no app: "));
    }

    #[test]
    fn a_masked_app_names_the_mask() {
        let explanation = explain(&config(&[("a", "")]), "a");
        let wanted = "app a is masked by /etc/veneer/apps.d/a.toml, which is empty or a link to /dev/null";
        assert_eq!(explanation.lines, [(Priority::Error, wanted.to_owned())]);
        assert_eq!((explanation.message, explanation.exit), (message::MASKED, Exit::Config));
    }

    #[test]
    fn a_broken_app_says_everything_with_its_place() {
        let text = GOOD.replace("exec", "exce").replace("[service]", "[service]\nprofile = \"strikt\"");
        let lines = said(&config(&[("a", &text)]), "a");
        assert!(
            lines.iter().any(|line| line.starts_with("/etc/veneer/apps.d/a.toml:5:1: service.exce: ")),
            "{lines:?}"
        );
        assert!(
            lines.iter().any(|line| line.starts_with("/etc/veneer/apps.d/a.toml:4:11: service.profile: ")),
            "{lines:?}"
        );
    }

    #[test]
    fn a_file_that_only_root_may_read_is_left_to_root() {
        let file = File::unreadable("/etc/veneer/apps.d/a.toml", "cannot be read: permission denied");
        let lines = said(&ConfigText::from_dirs(vec![Dir { apps: vec![("a".into(), file)], ..Dir::default() }]), "a");
        assert_eq!(lines[0], "/etc/veneer/apps.d/a.toml: cannot be read: permission denied");
        assert!(lines[1].ends_with("veneer check says more"), "{lines:?}");
    }

    #[test]
    fn an_app_that_is_in_order_wants_a_reload() {
        let lines = said(&config(&[("a", GOOD)]), "a");
        let wanted =
            "/etc/veneer/apps.d/a.toml is in order, but systemd has not read it yet: run systemctl daemon-reload";
        assert_eq!(lines, [wanted]);
    }
}
