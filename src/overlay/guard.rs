//! What a mount keeps programs from, whatever the modes of its files say: an overlay keeps of it what its target's mount does.
//! It looks at no mount; `host::overlay::mounting` does.
//! The words are mount(8)'s. Overlayfs takes none of them over from its layers, so they stand on the overlay's own mount.

use std::collections::BTreeSet;

/// One such thing. That there are no devices holds for every overlay, and needs no name here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Guard {
    /// Set-uid programs run as whoever starts them.
    NoSuid,
    /// No program runs.
    NoExec,
    /// No link is followed.
    NoSymFollow,
}

impl Guard {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::NoSuid, Self::NoExec, Self::NoSymFollow];

    /// Its word in options of a mount.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoSuid => "nosuid",
            Self::NoExec => "noexec",
            Self::NoSymFollow => "nosymfollow",
        }
    }

    /// The one of this word.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|guard| guard.name() == name)
    }
}

/// Those of a mount.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guards(BTreeSet<Guard>);

impl Guards {
    /// Those that are among options of an overlay.
    pub fn of_options(options: &[String]) -> Self {
        options.iter().filter_map(|option| Guard::of_name(option)).collect()
    }

    /// These and others.
    pub fn and(&self, others: &Self) -> Self {
        self.0.union(&others.0).copied().collect()
    }

    /// Those of others that are not among these.
    pub fn lacks(&self, others: &Self) -> Self {
        others.0.difference(&self.0).copied().collect()
    }

    /// Whether this one is among them.
    pub fn has(&self, guard: Guard) -> bool {
        self.0.contains(&guard)
    }

    /// Each, always in the same order.
    pub fn iter(&self) -> impl Iterator<Item = Guard> {
        self.0.iter().copied()
    }

    /// Their words.
    pub fn names(&self) -> Vec<&'static str> {
        self.iter().map(Guard::name).collect()
    }
}

impl FromIterator<Guard> for Guards {
    fn from_iter<I: IntoIterator<Item = Guard>>(guards: I) -> Self {
        Self(guards.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_mount_keeps_from_is_added_and_nothing_is_lost() {
        let own = Guards::of_options(&["volatile".into(), "noexec".into()]);
        let other: Guards = [Guard::NoSuid, Guard::NoExec].into_iter().collect();
        assert_eq!(own.and(&other).names(), ["nosuid", "noexec"]);
        assert_eq!(own.lacks(&other).names(), ["nosuid"]);
        assert_eq!(other.lacks(&own).names(), [""; 0]);
    }
}
