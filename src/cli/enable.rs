//! `veneer enable` and `veneer disable`: whether the boot starts an app, as a drop-in of the admin's.
//! One way for services, sockets and timers, and for apps of vendors; what `systemctl enable` linked is undone.
//! It decides first, as a list of steps; `--dry-run` ends there.

use super::apps::{Standing, views};
use super::args::Enable;
use super::context::{Context, find};
use super::diff;
use super::fault::fault;
use super::reload::{obstacles, refusal};
use crate::app::{App, Autostart};
use crate::config::{ConfigText, File, Host, load_app, origins};
use crate::host::below_root;
use crate::host::terminal::print;
use crate::name::AppId;
use crate::plan::Names;
use crate::sysexits::Exit;
use anyhow::Result;
use std::process::ExitCode;

/// What the boot is to do with an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// Start it, or its socket, or its timer.
    Start,
    /// Leave it.
    Leave,
}

impl Wish {
    fn autostart(self) -> &'static str {
        match self {
            Self::Start => "true",
            Self::Leave => "false",
        }
    }

    fn verb(self) -> &'static str {
        match self {
            Self::Start => "enable",
            Self::Leave => "disable",
        }
    }
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Write { path: String, text: String },
    Unlink { path: String },
    Systemctl(Vec<String>),
}

impl Step {
    /// As a line for the admin, before or after it.
    fn told(&self, tense: Tense) -> String {
        let verb = |would: &str, did: &str| match tense {
            Tense::Would => format!("would {would}"),
            Tense::Did => did.to_owned(),
        };
        match self {
            Self::Write { path, text } => {
                format!("{} {path}: {}\n", verb("write", "wrote"), text.lines().last().unwrap_or_default())
            }
            Self::Unlink { path } => format!("{} the link {path}\n", verb("remove", "removed")),
            Self::Systemctl(words) => format!("{} systemctl {}\n", verb("run", "ran"), words.join(" ")),
        }
    }
}

/// Whether something is only thought of, or done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tense {
    Would,
    Did,
}

pub(super) fn run(context: &Context, args: &Enable, wish: Wish) -> Result<ExitCode> {
    let config = context.config();
    let id = find(&config, &args.id)?.id.clone();
    if args.now && !args.dry.dry_run {
        context.need_systemd("--now")?;
    }
    let write = drop_in(&id, wish);
    let app = after(config, &id, &write, wish)?;
    if context.systemd.is_some() {
        let obstacles = obstacles(context, &diff::pending(context)?)?;
        if !obstacles.is_empty() {
            let advice = "nothing was written: stop what is named, mend its file, or run veneer reload --force first";
            return Err(refusal(&obstacles, advice));
        }
    }
    let mut steps = vec![write];
    steps.extend(unlinks(context, &id, wish)?);
    let up = context.states(&[Names::new(&id).app.to_string()])?.of(Names::new(&id).app.as_str()).is_up();
    steps.extend(acts(context, triggers(&id, app.as_ref(), wish, up), args, wish));
    let tense = if args.dry.dry_run { Tense::Would } else { Tense::Did };
    for step in &steps {
        if tense == Tense::Did {
            step.act(context)?;
        }
        print(&step.told(tense))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn drop_in(id: &AppId, wish: Wish) -> Step {
    let text = format!("# Written by veneer {}.\n[app]\nautostart = {}\n", wish.verb(), wish.autostart());
    Step::Write { path: format!("/etc/veneer/apps.d/{id}.toml.d/{DROP_IN}"), text }
}

/// Behind what a vendor ships; an admin's own drop-in can still come later.
const DROP_IN: &str = "90-veneer-enable.toml";

/// The app as it will be; an error if the drop-in would not do what was wished.
fn after(mut config: ConfigText, id: &AppId, write: &Step, wish: Wish) -> Result<Option<App>> {
    let Step::Write { path, text } = write else { return Ok(None) };
    let view = views(&config, []).into_iter().find(|view| view.id == *id);
    let standing = view.as_ref().map_or(Standing::Gone, |view| view.standing);
    let file = view.as_ref().and_then(|view| view.files.first().cloned()).unwrap_or_default();
    match (standing, wish) {
        (Standing::Good, _) => {}
        (_, Wish::Leave) => return Ok(None),
        (Standing::Masked, _) => return Err(fault(Exit::Config, format!("{id} is masked by {file}"))),
        _ => {
            let problems = view.map(|view| view.problems).unwrap_or_default();
            let list: String = problems.iter().map(|problem| format!("\n{problem}")).collect();
            return Err(fault(Exit::Config, format!("{id} is broken, and would not start:{list}")));
        }
    }
    for app in config.apps.iter_mut().filter(|app| app.id == *id) {
        app.drop_ins.retain(|file| file.path.rsplit('/').next() != Some(DROP_IN));
        let at = app.drop_ins.partition_point(|file| file.path.rsplit('/').next() < Some(DROP_IN));
        app.drop_ins.insert(at, File::new(path.as_str(), text.as_str()));
    }
    let (host, _) = Host::load(&config);
    let app = find(&config, id.as_str())?;
    match load_app(app, &host) {
        Ok(loaded) if (loaded.app.autostart == Autostart::Yes) == (wish == Wish::Start) => Ok(Some(loaded.app)),
        Ok(_) => {
            let origins = origins(app, &host);
            let who = origins.iter().find(|origin| origin.key == "app.autostart");
            let who = who.map(|origin| format!("{}:{}", origin.file, origin.place.line)).unwrap_or_default();
            Err(fault(Exit::Config, format!("{who} comes after {path} and says otherwise: change it there")))
        }
        Err(problems) => Err(fault(Exit::Config, problems.first().map(ToString::to_string).unwrap_or_default())),
    }
}

/// Links that `systemctl enable` made: they would start an app that nobody wants started.
fn unlinks(context: &Context, id: &AppId, wish: Wish) -> Result<Vec<Step>> {
    let (mut steps, unit) = (Vec::new(), Names::new(id).app.to_string());
    if wish == Wish::Start {
        return Ok(steps);
    }
    let dir = "/etc/systemd/system";
    for name in below_root::names(&context.at(dir))? {
        let path = format!("{dir}/{name}/{unit}");
        let wants = name.ends_with(".wants") || name.ends_with(".requires");
        if wants && below_root::exists(&context.at(&path)) {
            steps.push(Step::Unlink { path });
        }
    }
    if context.systemd.is_some() && !steps.is_empty() {
        steps = vec![Step::Systemctl(vec!["disable".into(), unit])];
    }
    Ok(steps)
}

/// What systemd has to do: read the units, and start or stop what `--now` means.
fn acts(context: &Context, units: Vec<String>, args: &Enable, wish: Wish) -> Vec<Step> {
    let mut steps = Vec::new();
    if context.systemd.is_some() {
        steps.push(Step::Systemctl(vec!["daemon-reload".into()]));
    }
    if args.now && !units.is_empty() {
        let verb = if wish == Wish::Start { "start" } else { "stop" };
        steps.push(Step::Systemctl(std::iter::once(verb.to_owned()).chain(units).collect()));
    }
    steps
}

/// What starts an app: its socket and its timer if it has them, else itself. A stop stops the app as well.
/// A socket cannot be started while its service is up, and need not be: it is there from the next start on.
fn triggers(id: &AppId, app: Option<&App>, wish: Wish, up: bool) -> Vec<String> {
    let names = Names::new(id);
    let (socket, timer) =
        app.map_or((false, false), |app| (!app.service.listen.is_empty(), !app.service.schedule.is_empty()));
    let wanted = [
        (socket && !(up && wish == Wish::Start), &names.socket),
        (timer, &names.timer),
        (wish == Wish::Leave || !(socket || timer), &names.app),
    ];
    wanted.into_iter().filter(|(wanted, _)| *wanted).map(|(_, unit)| unit.to_string()).collect()
}

impl Step {
    fn act(&self, context: &Context) -> Result<()> {
        match self {
            Self::Write { path, text } => below_root::replace(&context.at(path), text),
            Self::Unlink { path } => below_root::remove(&context.at(path)),
            Self::Systemctl(words) => {
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                context.need_systemd(&format!("systemctl {}", words.join(" ")))?.act(&words)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Dir;

    const PLAIN: &str = "[image]\ndirectory = \"/opt/a\"\n[service]\nexec = [\"/bin/a\"]\n";

    fn config(text: &str) -> ConfigText {
        let file = File::new("/usr/lib/veneer/apps.d/a.toml", text);
        ConfigText::from_dirs(vec![Dir { apps: vec![("a".into(), file)], ..Dir::default() }])
    }

    fn id() -> AppId {
        AppId::parse("a").expect("good id")
    }

    fn started(text: &str, wish: Wish, up: bool) -> Vec<String> {
        let app = after(config(text), &id(), &drop_in(&id(), wish), wish).expect("a good app");
        triggers(&id(), app.as_ref(), wish, up)
    }

    #[test]
    fn what_starts_an_app_is_started_and_all_of_it_is_stopped() {
        let both = format!("{PLAIN}listen = [\"80\"]\nschedule = [\"daily\"]\n");
        assert_eq!(started(PLAIN, Wish::Start, false), ["app@a.service"]);
        assert_eq!(started(&both, Wish::Start, false), ["app-a.socket", "app-a.timer"]);
        // systemd refuses to start a socket beside its running service.
        assert_eq!(started(&both, Wish::Start, true), ["app-a.timer"]);
        assert_eq!(started(&both, Wish::Leave, true), ["app-a.socket", "app-a.timer", "app@a.service"]);
    }

    #[test]
    fn a_drop_in_that_would_do_nothing_is_not_written() {
        let mut config = config(PLAIN);
        let path = "/etc/veneer/apps.d/a.toml.d/99-x.toml";
        config.apps[0].drop_ins.push(File::new(path, "[app]\nautostart = false\n"));
        let refused = after(config, &id(), &drop_in(&id(), Wish::Start), Wish::Start).expect_err("a refusal");
        assert!(refused.to_string().starts_with("/etc/veneer/apps.d/a.toml.d/99-x.toml:2 comes after"), "{refused}");
    }

    #[test]
    fn steps_are_told_before_and_after() {
        let step = drop_in(&id(), Wish::Leave);
        let path = "/etc/veneer/apps.d/a.toml.d/90-veneer-enable.toml";
        assert_eq!(step.told(Tense::Would), format!("would write {path}: autostart = false\n"));
        let run = Step::Systemctl(vec!["stop".into(), "app@a.service".into()]);
        assert_eq!(run.told(Tense::Did), "ran systemctl stop app@a.service\n");
    }
}
