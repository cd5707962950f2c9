//! What in a user's source could do harm where root's services read it, and what is done about each.
//! It opens nothing: what was seen of a file is handed in.
//! The list is veneer.toml(5)'s (`overlay.refuse`); a copy belongs to root, so a set-id bit would be root's.

use std::fmt;

/// A kind of harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hazard {
    /// A program that runs with its owner's rights.
    SetId,
    /// A device node, a FIFO or a socket.
    Device,
    /// A program with capabilities.
    Capability,
    /// What anybody may write to.
    WorldWritable,
    /// A symbolic link out of the source.
    Link,
}

impl Hazard {
    /// All of them, in the order of their names in `veneer.toml`.
    pub const ALL: [Self; 5] = [Self::SetId, Self::Device, Self::Capability, Self::WorldWritable, Self::Link];
    /// Their names.
    pub const NAMES: [&str; 5] = ["set-id", "device", "capability", "world-writable", "link"];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::SetId => "set-id",
            Self::Device => "device",
            Self::Capability => "capability",
            Self::WorldWritable => "world-writable",
            Self::Link => "link",
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            Self::SetId => "runs with the rights of its owner or group",
            Self::Device => "is a device, a FIFO or a socket",
            Self::Capability => "has capabilities",
            Self::WorldWritable => "can be written by everybody",
            Self::Link => "leads out of the source",
        }
    }

    /// Whether no copy may have it, whatever the policy says.
    pub fn never(self) -> bool {
        self.otherwise() == Act::Removed
    }

    /// What is done where the policy does not refuse it.
    fn otherwise(self) -> Act {
        match self {
            Self::SetId | Self::Device | Self::Capability => Act::Removed,
            Self::WorldWritable | Self::Link => Act::Kept,
        }
    }
}

/// What becomes of a hazard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// The whole request is refused.
    Refused,
    /// The overlay does without: the bit, the capability or the file is left out.
    Removed,
    /// It stays as it is.
    Kept,
}

impl Act {
    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Removed => "removed",
            Self::Kept => "kept",
        }
    }
}

/// What is said of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Its path in the source; empty for the source itself.
    pub path: String,
    /// What is wrong with it.
    pub hazard: Hazard,
    /// What is done about it.
    pub act: Act,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "the source itself" } else { &self.path };
        write!(f, "{path} {} ({}): {}", self.hazard.sentence(), self.hazard.name(), self.act.name())
    }
}

/// What was seen of one file, after it was copied or while its kind was found out.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Type and permissions, as stat(2) has them.
    pub mode: u32,
    /// Where a symbolic link leads.
    pub link: Option<Vec<u8>>,
    /// Whether it has `security.capability`.
    pub has_capability: bool,
}

const TYPE: u32 = 0o170_000;
const LINK: u32 = 0o120_000;
const FILE: u32 = 0o100_000;
const DIRECTORY: u32 = 0o040_000;
const SET_ID: u32 = 0o6000;
const WORLD_WRITABLE: u32 = 0o002;

/// The hazards of a file at a depth: 1 for what stands in the source's top directory.
pub fn hazards(seen: &Seen, depth: usize) -> Vec<Hazard> {
    let kind = seen.mode & TYPE;
    if kind == LINK {
        let leads_out = seen.link.as_ref().is_none_or(|link| leads_out(link, depth));
        return if leads_out { vec![Hazard::Link] } else { Vec::new() };
    }
    if kind != FILE && kind != DIRECTORY {
        return vec![Hazard::Device];
    }
    // On a directory these bits only say what group a new file gets.
    let set_id = kind == FILE && seen.mode & SET_ID != 0;
    let found = [
        (set_id, Hazard::SetId),
        (seen.has_capability, Hazard::Capability),
        (seen.mode & WORLD_WRITABLE != 0, Hazard::WorldWritable),
    ];
    found.into_iter().filter_map(|(is, hazard)| is.then_some(hazard)).collect()
}

/// Whether a link may lead above the source, or names a path of the host. Its text is enough: the directories it stands
/// in are no links, so `..` at its beginning is what it seems; behind a name, which may be a link, `..` may be anywhere.
fn leads_out(link: &[u8], depth: usize) -> bool {
    if link.starts_with(b"/") || link.is_empty() {
        return true;
    }
    let parts = || link.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b"."));
    let climbs = parts().take_while(|part| *part == b"..").count();
    climbs >= depth || parts().skip(climbs).any(|part| part == b"..")
}

/// What a policy does about a hazard.
pub fn act(hazard: Hazard, refused: &[Hazard]) -> Act {
    if refused.contains(&hazard) { Act::Refused } else { hazard.otherwise() }
}

/// The permissions that a copy gets: never a set-id bit, for it belongs to root.
pub fn mode_of_copy(mode: u32) -> u32 {
    let sticky = if mode & TYPE == DIRECTORY { mode & 0o1000 } else { 0 };
    (mode & 0o777) | sticky
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(mode: u32) -> Vec<Hazard> {
        hazards(&Seen { mode, ..Seen::default() }, 1)
    }

    #[test]
    fn every_kind_of_harm_is_seen() {
        assert_eq!(of(0o100_644), []);
        assert_eq!(of(0o040_755), []);
        assert_eq!(of(0o104_755), [Hazard::SetId]);
        assert_eq!(of(0o102_755), [Hazard::SetId]);
        assert_eq!(of(0o042_775), []);
        assert_eq!(of(0o106_777), [Hazard::SetId, Hazard::WorldWritable]);
        assert_eq!(of(0o041_777), [Hazard::WorldWritable]);
        for device in [0o020_600, 0o060_600, 0o010_600, 0o140_600, 0] {
            assert_eq!(of(device), [Hazard::Device], "{device:o}");
        }
        let capable = Seen { mode: 0o100_755, has_capability: true, ..Seen::default() };
        assert_eq!(hazards(&capable, 1), [Hazard::Capability]);
    }

    #[test]
    fn links_stay_within_the_source_or_are_seen() {
        let link = |text: &str, depth| {
            !hazards(&Seen { mode: 0o120_777, link: Some(text.into()), has_capability: false }, depth).is_empty()
        };
        for (inside, depth) in [("a", 1), ("a/b", 1), ("../a", 2), ("./a", 1), ("../..", 3), ("..a/b", 1)] {
            assert!(!link(inside, depth), "{inside}");
        }
        for (outside, depth) in
            [("/etc/shadow", 1), ("..", 1), ("../a", 1), ("a/../b", 3), ("../../a", 2), ("./..", 1), ("", 1)]
        {
            assert!(link(outside, depth), "{outside}");
        }
    }

    #[test]
    fn what_is_not_refused_never_gives_roots_rights_away() {
        assert_eq!(act(Hazard::SetId, &[]), Act::Removed);
        assert_eq!(act(Hazard::Capability, &[Hazard::SetId]), Act::Removed);
        assert_eq!(act(Hazard::SetId, &[Hazard::SetId]), Act::Refused);
        assert_eq!(mode_of_copy(0o107_755), 0o755);
        assert_eq!(mode_of_copy(0o041_777), 0o1777);
    }
}
