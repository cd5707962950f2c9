//! `veneer reload`: check, compare, then let systemd read everything anew.
//! It refuses while something is up whose file is gone, masked or broken: what is up would be left with old units.
//! Broken apps that are not up stop nobody: the others are reloaded, and the exit code tells.

use super::apps::{Standing, View, views};
use super::args::Reload;
use super::changes::Change;
use super::check;
use super::context::{Context, unit_patterns};
use super::diff;
use super::fault::fault;
use super::show::States;
use crate::host::terminal::{Colour, complain, print};
use crate::plan::Names;
use crate::sysexits::Exit;
use anyhow::Result;
use std::cmp::Reverse;
use std::process::ExitCode;

pub(super) fn run(context: &Context, args: &Reload) -> Result<ExitCode> {
    let systemd = match args.dry.dry_run {
        true => context.systemd,
        false => Some(context.need_systemd("a reload")?),
    };
    let config = context.config();
    let problems = check::problems(&config);
    complain(&check::show(&problems, &config, Colour::Off));
    let changes = diff::pending(context)?;
    let obstacles = obstacles(context, &changes)?;
    if !obstacles.is_empty() && !args.force {
        let advice = "stop what is named, or mend its file; --force reloads all the same";
        return Err(refusal(&obstacles, advice));
    }
    print(&format!("{}\n", diff::summary(&changes)))?;
    if args.dry.dry_run {
        print("would run systemctl daemon-reload\n")?;
    } else if let Some(systemd) = systemd {
        systemd.daemon_reload()?;
        complain(&super::stale::notes(context));
    }
    Ok(check::exit(&problems))
}

/// What is up and would lose its units, each as a sentence.
pub(super) fn obstacles(context: &Context, changes: &[Change]) -> Result<Vec<String>> {
    let live = context.live();
    let views = views(&context.config(), live.iter().map(|live| &live.id));
    let states = context.states(&unit_patterns())?;
    let mut found: Vec<String> = views.iter().filter_map(|view| of_app(view, &states)).collect();
    found.extend(changes.iter().filter_map(|change| of_unit(change, &states)));
    Ok(found)
}

pub(super) fn refusal(obstacles: &[String], advice: &str) -> anyhow::Error {
    let list: String = obstacles.iter().map(|obstacle| format!("\n  {obstacle}")).collect();
    fault(Exit::Failure, format!("not reloaded, because of what is up:{list}\n{advice}"))
}

/// An app that is up while its configuration is no good.
fn of_app(view: &View, states: &States) -> Option<String> {
    let file = view.files.first().map_or("its file", String::as_str);
    let why = match view.standing {
        Standing::Good => return None,
        // What stands at a place says more than what is missing.
        Standing::Broken => {
            match view.problems.iter().max_by_key(|problem| problem.place.map(|place| Reverse(place.line))) {
                Some(problem) => format!("its configuration is broken: {problem}"),
                None => format!("{file} is broken"),
            }
        }
        Standing::Masked => format!("it is masked by {file}"),
        Standing::Gone => "its file is gone".into(),
    };
    let names = Names::new(&view.id);
    // Its mounts go by themselves once nobody needs them, and are kept as they are until then.
    let up = [&names.app, &names.socket, &names.timer].into_iter().find(|unit| states.of(unit.as_str()).stays_up())?;
    Some(format!("{up} is {}, and {why}", states.of(up.as_str()).active()))
}

/// A unit that is up and that no app has any more.
fn of_unit(change: &Change, states: &States) -> Option<String> {
    let unit = change.removed_unit()?;
    let state = states.of(unit);
    state.stays_up().then(|| format!("{unit} is {}, and no app has it any more", state.active()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::AppId;

    fn view(standing: Standing) -> View {
        let id = AppId::parse("a").expect("good id");
        View { id, standing, app: None, problems: Vec::new(), files: vec!["/etc/veneer/apps.d/a.toml".into()] }
    }

    #[test]
    fn only_what_is_up_stands_in_the_way() {
        let up = States::parse("Id=app-a.socket\nActiveState=active\n");
        let down = States::parse("Id=app@a.service\nActiveState=failed\n");
        for standing in [Standing::Broken, Standing::Masked, Standing::Gone] {
            assert!(of_app(&view(standing), &up).is_some(), "{standing:?}");
            assert_eq!(of_app(&view(standing), &down), None, "{standing:?}");
        }
        assert_eq!(of_app(&view(Standing::Good), &up), None);
        let going = States::parse("Id=app@a.service\nActiveState=deactivating\n");
        assert_eq!(of_app(&view(Standing::Gone), &going), None);
        let masked = of_app(&view(Standing::Masked), &up);
        let wanted = "app-a.socket is active, and it is masked by /etc/veneer/apps.d/a.toml";
        assert_eq!(masked.as_deref(), Some(wanted));
    }
}
