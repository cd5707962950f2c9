//! From an app's file to its units, and the proof that these say only what was asked.
//! It knows systemd's syntax by itself (systemd.syntax(7)) and uses nothing of the unit writer to read its output.
//! What may stand in a unit is listed here a second time, on purpose. A test of Veneer's own uses it too, on files
//! that are known to be right, so that the list is never behind.

#[path = "model.rs"]
mod model;

use std::cell::OnceCell;
use veneer::config::{AppText, ConfigText, File, Host, load_app};
use veneer::plan;
use veneer::unit::Content;

/// Loads the text as the file of an app, plans it, and looks at every line of what came out.
pub fn prove(text: &str) -> Verdict {
    let file = File::new("/etc/veneer/apps.d/fuzzed-app.toml", text);
    let Ok(alone) = AppText::alone(file) else { return Verdict::Refused };
    with_host(|host| match load_app(&alone, host) {
        Ok(loaded) => {
            for problem in &loaded.warnings {
                one_line(&problem.to_string());
            }
            let units = plan::units(&loaded.app).expect("one app's units have paths of their own");
            for (path, content) in units.iter() {
                match content {
                    Content::File(text) => model::prove(path, text, &loaded.app),
                    Content::Link(target) => one_line(target),
                }
            }
            Verdict::Planned
        }
        Err(problems) => {
            assert!(!problems.is_empty(), "refused without a reason");
            for problem in &problems {
                assert!(!problem.text.is_empty(), "refused without a reason");
                one_line(&problem.to_string());
            }
            Verdict::Refused
        }
    })
}

/// What became of an app's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It has units, and each line of them is one it asked for.
    Planned,
    /// It has none, and a reason.
    Refused,
}

/// A Problem goes to kmsg, where a newline would begin a message of its own.
fn one_line(text: &str) {
    assert!(!text.contains(['\n', '\0']), "more than a line: {text:?}");
}

fn with_host<T>(run: impl FnOnce(&Host<'_>) -> T) -> T {
    thread_local! {
        static HOST: OnceCell<Host<'static>> = const { OnceCell::new() };
    }
    HOST.with(|host| {
        run(host.get_or_init(|| {
            let text: &'static ConfigText = Box::leak(Box::default());
            Host::load(text).0
        }))
    })
}
