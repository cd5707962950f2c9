//! Reads `[prune]` of `veneer.toml`: how long images stay that nothing refers to, and how much room they may take.
//! It says nothing of what is in use: that is `store::in_use`'s.
//! The keys are veneer.toml(5)'s, "[PRUNE] SECTION".

use super::read::Fields;
use super::report::Report;
use crate::size::Size;
use crate::store::age::Age;
use crate::store::prune::Policy;

/// What is not given is as in the defaults.
pub(super) fn read(section: Fields<'_, '_>, report: &mut Report, defaults: Policy) -> Policy {
    let age = section.get("older-than").and_then(|field| field.parse(report, Age::parse));
    let max_size = section.get("max-size").and_then(|field| field.parse(report, Size::parse));
    let min_free = section.get("min-free").and_then(|field| field.parse(report, Size::parse));
    Policy {
        older_than: age.map_or(defaults.older_than, |Age(seconds)| seconds),
        max_size: max_size.or(defaults.max_size),
        min_free: min_free.unwrap_or(defaults.min_free),
    }
}
