//! `[overlay]` of `veneer.toml`: what users may ask for.
//! It counts nothing; `request::limits` does.
//! Fail closed: where a part of it cannot be read, nobody knows what was to be kept out, and nothing is allowed.

use super::keys::SETTINGS;
use super::node::Kind;
use super::read::{Field, Fields};
use super::report::{Report, did_you_mean, one_of};
use crate::name::UserName;
use crate::request::{Hazard, Limit, Rules};
use crate::size::Size;
use std::collections::BTreeMap;

/// The rules; none if anything in the section is wrong.
pub(super) fn read(top: Fields<'_, '_>, report: &mut Report) -> Option<Rules> {
    let section = top.section(SETTINGS, "overlay", report);
    let mut rules = Rules::default();
    let mut is_good = !section.has_strangers() && !section.is_broken();
    if let Some(field) = section.get("refuse") {
        let wanted = field.items(report, "an array of strings").len();
        rules.refuse = field.list(report, hazard).into_iter().map(|(_, hazard)| hazard).collect();
        is_good &= rules.refuse.len() == wanted && matches!(field.kind, Kind::Array(_));
    }
    if let Some(field) = section.get("files") {
        keep(&mut rules.files, number(field, report), &mut is_good);
    }
    limit(section, &mut rules.each, &mut is_good, report);
    let each = rules.each;
    for key in ["user", "group"] {
        is_good &= section.get(key).is_none_or(|field| matches!(field.kind, Kind::Table(_)));
    }
    rules.users = named("overlay.user", section, each, &mut is_good, report);
    rules.groups = named("overlay.group", section, each, &mut is_good, report);
    is_good.then_some(rules)
}

/// The limits of users or groups that are named.
fn named(
    place: &'static str,
    section: Fields<'_, '_>,
    each: Limit,
    is_good: &mut bool,
    report: &mut Report,
) -> BTreeMap<String, Limit> {
    let mut limits = BTreeMap::new();
    for (name, field) in section.section(SETTINGS, place, report).all() {
        if let Err(reason) = UserName::parse(name) {
            field.error(report, reason);
            *is_good = false;
        }
        let section = Fields::from_entry(SETTINGS, "overlay.limit", (place, name), field, report);
        *is_good &= section.is_table() && !section.has_strangers();
        let mut found = each;
        limit(section, &mut found, is_good, report);
        limits.insert(name.to_owned(), found);
    }
    limits
}

fn limit(section: Fields<'_, '_>, limit: &mut Limit, is_good: &mut bool, report: &mut Report) {
    if let Some(field) = section.get("count") {
        keep(&mut limit.count, number(field, report), is_good);
    }
    if let Some(field) = section.get("size") {
        keep(&mut limit.bytes, field.parse(report, Size::parse).map(Size::bytes), is_good);
    }
}

fn keep(place: &mut u64, read: Option<u64>, is_good: &mut bool) {
    match read {
        Some(value) => *place = value,
        None => *is_good = false,
    }
}

fn number(field: Field<'_, '_>, report: &mut Report) -> Option<u64> {
    let Kind::Integer(text) = field.kind else {
        field.wrong(report, "a whole number");
        return None;
    };
    let number = text.parse().ok();
    if number.is_none() {
        field.error(report, format!("{text} is not a number from 0 to {}", u64::MAX));
    }
    number
}

fn hazard(text: &str) -> Result<Hazard, String> {
    let found = Hazard::ALL.into_iter().find(|hazard| hazard.name() == text);
    let near = did_you_mean(text, Hazard::NAMES.iter().copied());
    found.ok_or_else(|| format!("{text:?} is not one of {}{near}", one_of(&Hazard::NAMES)))
}

#[cfg(test)]
mod tests {
    use crate::config::{ConfigText, File, Host};
    use crate::request::{Hazard, Limit, Rules};

    fn rules(text: &str) -> (Option<Rules>, Vec<String>) {
        let text = ConfigText { settings: vec![File::new("/etc/veneer/veneer.toml", text)], ..ConfigText::default() };
        let (host, problems) = Host::load(&text);
        (host.settings.overlay, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn without_a_word_the_defaults_hold() {
        assert_eq!(rules(""), (Some(Rules::default()), Vec::new()));
    }

    #[test]
    fn limits_are_those_of_the_section_unless_a_name_has_its_own() {
        let text = "[overlay]\nrefuse = [\"device\"]\nfiles = 7\ncount = 2\nsize = \"1M\"\n[overlay.user.alice]\ncount = 9\n\
                    [overlay.group.devs]\nsize = \"1G\"\n";
        let (Some(rules), problems) = rules(text) else { panic!("rules") };
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!((rules.refuse.as_slice(), rules.files), ([Hazard::Device].as_slice(), 7));
        assert_eq!(rules.of_user("alice"), Limit { count: 9, bytes: 1 << 20 });
        assert_eq!(rules.of_user("bob"), Limit { count: 2, bytes: 1 << 20 });
        assert_eq!(rules.groups["devs"], Limit { count: 2, bytes: 1 << 30 });
    }

    #[test]
    fn a_problem_names_whose_limit_it_is() {
        for (text, key) in [
            ("[overlay.user.alice]\ncount = -1", "overlay.user.alice.count: "),
            ("[overlay.group.devs]\nfiles = 1", "overlay.group.devs.files: "),
            ("[overlay]\ncount = -1", "overlay.count: "),
        ] {
            let (_, problems) = rules(text);
            assert!(problems.len() == 1 && problems[0].contains(key), "{problems:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_allows_nothing() {
        for bad in [
            "[overlay]\nrefuse = \"device\"",
            "[overlay]\nrefuse = [\"devices\"]",
            "[overlay]\ncount = -1",
            "[overlay]\ncount = \"4\"",
            "[overlay]\nsize = \"4X\"",
            "[overlay]\nquota = 4",
            "overlay = 4",
            "[overlay]\nuser = 4",
            "[overlay.user]\nalice = 4",
            "[overlay.user.alice]\nfiles = 4",
            "[overlay.user.\"a b\"]\ncount = 4",
            "[overlay",
        ] {
            let (rules, problems) = rules(bad);
            assert!(rules.is_none() && !problems.is_empty(), "{bad}: {rules:?} {problems:?}");
        }
    }
}
