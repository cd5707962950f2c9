//! The apps of a host as the verbs see them: what is configured, and how that stands.
//! Pure; it knows nothing of what runs but the ids of what is marked live.
//! What an app's files mean is `config`'s.

use super::show::States;
use super::unit_files::units_of;
use crate::app::{App, Autostart, Image, ImagePlace};
use crate::config::{AppState, AppText, ConfigText, Host, load_app};
use crate::name::AppId;
use crate::plan::Names;
use crate::problem::{Problem, Severity};

/// How an app's configuration stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Good,
    Broken,
    Masked,
    /// It is up, and no file says what it is.
    Gone,
}

impl Standing {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Broken => "broken",
            Self::Masked => "masked",
            Self::Gone => "gone",
        }
    }
}

/// One app.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) id: AppId,
    pub(super) standing: Standing,
    /// What it is, if its files say so.
    pub(super) app: Option<App>,
    pub(super) problems: Vec<Problem>,
    /// Its files, its own first; none if it is gone.
    pub(super) files: Vec<String>,
}

impl View {
    fn of(text: &AppText, host: &Host<'_>) -> Self {
        let files = std::iter::once(&text.file).chain(&text.drop_ins).map(|file| file.path.to_string()).collect();
        let id = text.id.clone();
        if text.state() == AppState::Masked {
            return Self { id, standing: Standing::Masked, app: None, problems: Vec::new(), files };
        }
        match load_app(text, host) {
            Ok(loaded) => {
                let (app, problems) = (Some(loaded.app), loaded.warnings);
                Self { id, standing: Standing::Good, app, problems, files }
            }
            Err(problems) => Self { id, standing: Standing::Broken, app: None, problems, files },
        }
    }

    fn gone(id: &AppId) -> Self {
        let (app, problems, files) = (None, Vec::new(), Vec::new());
        Self { id: id.clone(), standing: Standing::Gone, app, problems, files }
    }

    pub(super) fn description(&self) -> &str {
        self.app.as_ref().and_then(|app| app.description.as_ref()).map_or("", |text| text.as_str())
    }

    pub(super) fn autostart(&self) -> bool {
        self.app.as_ref().is_some_and(|app| app.autostart == Autostart::Yes)
    }

    pub(super) fn errors(&self) -> usize {
        self.problems.iter().filter(|problem| problem.severity == Severity::Error).count()
    }
}

/// All apps in the order of their ids: those that are configured, and those of `live` that are not.
pub(super) fn views<'a>(config: &ConfigText, live: impl IntoIterator<Item = &'a AppId>) -> Vec<View> {
    let (host, _) = Host::load(config);
    let mut views: Vec<View> = config.apps.iter().map(|text| View::of(text, &host)).collect();
    let gone = live.into_iter().filter(|id| config.app(id.as_str()).is_none());
    views.extend(gone.map(View::gone));
    views.sort_by(|a, b| a.id.cmp(&b.id));
    views
}

/// Where an app's root comes from, in a few words.
pub(super) fn source(app: &App) -> String {
    match &app.image {
        Image::Directory(dir) => dir.to_string(),
        Image::File(image) => match &image.place {
            ImagePlace::At(path) => path.to_string(),
            ImagePlace::Named { name, .. } => name.to_string(),
            ImagePlace::Made(making) => making.origin.to_string(),
        },
    }
}

/// What an app's image must show: a name of `image.require`, or `directory`.
pub(super) fn trust(app: &App) -> &'static str {
    match &app.image {
        Image::Directory(_) => "directory",
        Image::File(image) => image.trust.name(),
    }
}

/// The state of an app in a word: its service's; if that is down, whether its chain failed, or what may start it is up.
pub(super) fn state<'a>(names: &Names, states: &'a States) -> &'a str {
    let service = states.of(names.app.as_str());
    if service.is_up() {
        return service.active();
    }
    if units_of(names).into_iter().any(|unit| states.of(unit.as_str()).active() == "failed") {
        return "failed";
    }
    // Its service waits meanwhile, and says nothing.
    let making = [&names.pull, &names.convert, &names.verity];
    if making.iter().any(|unit| states.of(unit.as_str()).active() == "activating") {
        return "activating";
    }
    let beside = [(&names.socket, "listening"), (&names.timer, "waiting")];
    let up = beside.iter().find(|(unit, _)| states.of(unit.as_str()).is_up());
    up.map_or("inactive", |(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Dir, File};

    #[test]
    fn every_app_is_seen_as_it_stands() {
        let good = "[image]\ndirectory = \"/opt/a\"\n[service]\nexec = [\"/bin/a\"]\n";
        let app = |name: &str, text: &str| (name.into(), File::new(format!("/etc/veneer/apps.d/{name}.toml"), text));
        let apps = vec![app("good", good), app("masked", ""), app("broken", "x = 1")];
        let config = ConfigText::from_dirs(vec![Dir { apps, ..Dir::default() }]);
        let live = AppId::parse("left").expect("good id");
        let seen: Vec<(String, Standing)> =
            views(&config, [&live]).into_iter().map(|view| (view.id.to_string(), view.standing)).collect();
        let wanted = [
            ("broken", Standing::Broken),
            ("good", Standing::Good),
            ("left", Standing::Gone),
            ("masked", Standing::Masked),
        ];
        assert_eq!(seen, wanted.map(|(id, standing)| (id.to_owned(), standing)));
    }

    #[test]
    fn a_state_is_that_of_the_whole_chain() {
        let names = Names::new(&AppId::parse("a").expect("good id"));
        for (text, wanted) in [
            ("", "inactive"),
            ("Id=app@a.service\nActiveState=activating\n", "activating"),
            ("Id=veneer-verity@a.service\nActiveState=failed\n", "failed"),
            ("Id=app-a.socket\nActiveState=active\n", "listening"),
            ("Id=app-a.timer\nActiveState=active\n", "waiting"),
            ("Id=app@b.service\nActiveState=active\n", "inactive"),
        ] {
            assert_eq!(state(&names, &States::parse(text)), wanted, "{text}");
        }
    }
}
