//! What `systemctl show` and `list-units` say, parsed.
//! Pure; the asking is `host::systemctl`'s.
//! The formats are systemctl(1)'s: `Property=value` lines, an empty line between units; times as `@SECONDS`; or JSON.

use serde::Deserialize;
use std::collections::BTreeMap;

/// The properties that the verbs read, in one list, so that one call serves all.
pub const PROPERTIES: &str = "Id,ActiveState,SubState,Result,StateChangeTimestamp,ExecMainStartTimestamp,MainPID,\
                              StatusText,ExecMainStatus,MemoryCurrent,InvocationID,NeedDaemonReload,Listen,\
                              NextElapseUSecRealtime,NRestarts";

/// The state of one unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnitState {
    values: BTreeMap<Box<str>, Box<str>>,
}

impl UnitState {
    /// A property that comes more than once (`Listen=`) is a list.
    fn parse(block: &str) -> Self {
        let mut values: BTreeMap<Box<str>, Box<str>> = BTreeMap::new();
        for (name, value) in block.lines().filter_map(|line| line.split_once('=')) {
            let all = match values.get(name) {
                Some(before) => format!("{before}, {value}").into(),
                None => value.into(),
            };
            values.insert(name.into(), all);
        }
        Self { values }
    }

    /// A property as text; empty if systemd does not say.
    pub fn get(&self, property: &str) -> &str {
        self.values.get(property).map_or("", |value| value)
    }

    /// `active`, `failed`, `inactive`, …
    pub fn active(&self) -> &str {
        match self.get("ActiveState") {
            "" => "inactive",
            state => state,
        }
    }

    /// Whether it runs or is mounted, or is about to be, or about not to be.
    pub fn is_up(&self) -> bool {
        !matches!(self.active(), "inactive" | "failed")
    }

    /// Whether it is up and stays so, unless somebody stops it.
    pub fn stays_up(&self) -> bool {
        self.is_up() && self.active() != "deactivating"
    }

    /// When its state last changed, in seconds since the epoch.
    pub fn since(&self) -> Option<u64> {
        self.time("StateChangeTimestamp")
    }

    /// A time, in seconds since the epoch.
    pub fn time(&self, property: &str) -> Option<u64> {
        self.get(property).strip_prefix('@')?.parse().ok().filter(|seconds| *seconds > 0)
    }

    /// A number; none if systemd does not know it (`[not set]`, 2^64-1).
    pub fn number(&self, property: &str) -> Option<u64> {
        self.get(property).parse().ok().filter(|number| *number != u64::MAX)
    }
}

/// A line of `systemctl list-units`.
#[derive(Deserialize)]
struct Listed {
    unit: Box<str>,
    active: Box<str>,
}

/// The states of some units, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct States {
    units: BTreeMap<Box<str>, UnitState>,
    nothing: UnitState,
}

impl States {
    /// Reads the output of `systemctl show`.
    pub fn parse(text: &str) -> Self {
        let mut states = Self::default();
        for block in text.split("\n\n") {
            let state = UnitState::parse(block);
            if let Some(id) = state.values.get("Id").cloned() {
                states.units.insert(id, state);
            }
        }
        states
    }

    /// Reads the JSON of `systemctl list-units`, which has the state of each unit and no other property.
    pub fn parse_list(json: &str) -> serde_json::Result<Self> {
        let listed: Vec<Listed> = serde_json::from_str(json)?;
        let mut states = Self::default();
        for unit in listed {
            let values = BTreeMap::from([("ActiveState".into(), unit.active)]);
            states.units.insert(unit.unit, UnitState { values });
        }
        Ok(states)
    }

    /// The state of a unit; of one that systemd has not loaded, an inactive one.
    pub fn of(&self, unit: &str) -> &UnitState {
        self.units.get(unit).unwrap_or(&self.nothing)
    }

    /// All units, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &UnitState)> {
        self.units.iter().map(|(name, state)| (&**name, state))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Id=app@a.service\nActiveState=active\nStateChangeTimestamp=@1700000000\nMainPID=12\n\
                        MemoryCurrent=18446744073709551615\nStatusText=a=b\n\nId=x.mount\nActiveState=failed\n\
                        StateChangeTimestamp=\n";

    #[test]
    fn every_unit_is_found_by_its_name() {
        let states = States::parse(TEXT);
        let app = states.of("app@a.service");
        assert_eq!((app.active(), app.since(), app.get("StatusText")), ("active", Some(1_700_000_000), "a=b"));
        assert_eq!((app.number("MainPID"), app.number("MemoryCurrent")), (Some(12), None));
        assert_eq!((states.of("x.mount").active(), states.of("x.mount").since()), ("failed", None));
        assert!(app.is_up() && !states.of("x.mount").is_up());
        let socket = States::parse("Id=a.socket\nListen=1 (Stream)\nListen=/x (Stream)\n");
        assert_eq!(socket.of("a.socket").get("Listen"), "1 (Stream), /x (Stream)");
    }

    #[test]
    fn a_list_has_the_state_of_each_unit() {
        let json = r#"[{"unit":"a@x.service","load":"loaded","active":"failed","sub":"failed","description":"A"}]"#;
        let states = States::parse_list(json).expect("a list");
        assert_eq!((states.of("a@x.service").active(), states.of("b.service").active()), ("failed", "inactive"));
        assert_eq!(States::parse_list("[]").expect("an empty list"), States::default());
        assert!(States::parse_list("no list").is_err());
    }

    #[test]
    fn a_unit_that_is_not_loaded_is_inactive() {
        let states = States::parse("");
        assert_eq!(states.of("app@b.service").active(), "inactive");
        assert_eq!(states.iter().count(), 0);
    }
}
