//! Settings of the host (`veneer.toml`), with what holds if it says nothing.
//! It holds nothing of how they were typed.
//! The keys are those of veneer.toml(5).

use super::{Limits, Pull};
use crate::path::AbsPath;

/// Settings of the host (`veneer.toml`), with what holds if it says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `[store] roots`: where images named without a path are searched.
    pub roots: Vec<AbsPath>,
    /// `[policy] require`: the least that every image must show, as a rank of [`Trust`].
    pub least_trust: usize,
    /// `[overlay]`: what users may ask for; none if that cannot be read, and then they may ask for nothing.
    pub overlay: Option<crate::request::Rules>,
    /// `[session] directory`: where sessions keep what they write.
    pub sessions: AbsPath,
    /// `[session] limit-per-app` and `limit`.
    pub session_limits: Limits,
    /// `[prune]`: what becomes of images that nothing refers to.
    pub prune: crate::store::prune::Policy,
    /// `[store] keep`: how many versions of an app's image stay.
    pub keep: u32,
    /// `[pull]`.
    pub pull: Pull,
}
