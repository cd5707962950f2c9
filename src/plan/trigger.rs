//! What starts an app other than a person: its socket, its timer, the boot.
//! `systemctl enable app@ID` needs nothing from here: `app@.service` is static and has its own `[Install]`.
//! Settings are those of systemd.socket(5) and systemd.timer(5); targets are systemd.special(7)'s.

use super::{Names, wanted};
use crate::app::App;
use crate::layout::SYSTEM_UNITS;
use crate::unit::{Duplicate, Unit, UnitSet, Value};

pub(super) fn plan(app: &App, names: &Names, set: &mut UnitSet) -> Result<(), Duplicate> {
    if !app.service.listen.is_empty() {
        set.unit(&names.socket, socket(app, names))?;
    }
    if !app.service.schedule.is_empty() {
        set.unit(&names.timer, timer(app, names))?;
    }
    for (target, unit, kind) in wanted(app, names) {
        // A template's file is elsewhere; what was generated lies one directory up.
        let file = if kind == "service" { format!("{SYSTEM_UNITS}/app@.service") } else { format!("../{unit}") };
        set.wanted_by(target, &unit, file)?;
    }
    Ok(())
}

fn socket(app: &App, names: &Names) -> Unit {
    let mut unit = described(app);
    unit.section("Socket");
    for address in &app.service.listen {
        let (setting, value) = super::service::listen(address);
        unit.set(setting, value);
    }
    unit.set("Service", Value::Units(&[&names.app]));
    unit
}

fn timer(app: &App, names: &Names) -> Unit {
    let mut unit = described(app);
    unit.section("Timer");
    for time in &app.service.schedule {
        unit.set("OnCalendar", Value::Text(time));
    }
    unit.set("Persistent", Value::Word("yes"));
    unit.set("Unit", Value::Units(&[&names.app]));
    unit
}

fn described(app: &App) -> Unit {
    let mut unit = Unit::from_source(&app.source);
    if let Some(description) = &app.description {
        unit.set("Description", Value::Text(description));
    }
    unit
}
