//! How much a user and a group may have laid over the host, and whether one more still fits.
//! It counts what it is told; who is in which group, and what is there, `host::request` finds out, under a lock.
//! The keys are veneer.toml(5)'s (`[overlay]`).

use super::denial::Denial;
use super::hazard::Hazard;
use std::collections::BTreeMap;

/// How many overlays, and how many bytes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Overlays.
    pub count: u64,
    /// Bytes of their files, and of what may be written to them.
    pub bytes: u64,
}

/// What holds for requests of users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Hazards that a source is refused for.
    pub refuse: Vec<Hazard>,
    /// Most files, links and directories in one source.
    pub files: u64,
    /// Of each user who is not named.
    pub each: Limit,
    /// Of users who are.
    pub users: BTreeMap<String, Limit>,
    /// Of all members of a group together.
    pub groups: BTreeMap<String, Limit>,
}

/// One overlay that is there, or was asked for before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// Whose it is.
    pub owner: u32,
    /// The groups of its owner that are limited.
    pub groups: Vec<String>,
    /// 1; 0 for the one that is asked for again, whose bytes stay while its older versions do.
    pub count: u64,
    /// Its bytes.
    pub bytes: u64,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    /// Their id.
    pub uid: u32,
    /// Their name.
    pub name: String,
    /// Their groups.
    pub groups: Vec<String>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            refuse: Hazard::ALL.to_vec(),
            files: 100_000,
            each: Limit { count: 4, bytes: 256 << 20 },
            users: BTreeMap::new(),
            groups: BTreeMap::new(),
        }
    }
}

impl Rules {
    /// The limit of a user.
    pub fn of_user(&self, name: &str) -> Limit {
        self.users.get(name).copied().unwrap_or(self.each)
    }

    /// How many bytes one more overlay may have; an error if there can be none.
    pub fn room(&self, asker: &Asker, held: &[Holding]) -> Result<u64, Denial> {
        let own = held.iter().filter(|holding| holding.owner == asker.uid);
        let mut room = left(&format!("user {}", asker.name), self.of_user(&asker.name), own)?;
        for (group, limit) in self.groups.iter().filter(|(group, _)| asker.groups.contains(group)) {
            let members = held.iter().filter(|holding| holding.groups.contains(group));
            room = room.min(left(&format!("group {group}"), *limit, members)?);
        }
        Ok(room)
    }

    /// Whether so many bytes fit.
    pub fn fits(&self, asker: &Asker, held: &[Holding], bytes: u64) -> Result<(), Denial> {
        let room = self.room(asker, held)?;
        match bytes <= room {
            true => Ok(()),
            false => Err(too_large(bytes, room)),
        }
    }
}

/// What is said of what does not fit.
pub fn too_large(bytes: u64, room: u64) -> Denial {
    Denial::LimitExceeded(format!("{bytes} bytes are asked for, and {room} are left of what veneer.toml allows"))
}

fn left<'a>(who: &str, limit: Limit, held: impl Iterator<Item = &'a Holding>) -> Result<u64, Denial> {
    let (mut count, mut bytes) = (0u64, 0u64);
    for holding in held {
        count = count.saturating_add(holding.count);
        bytes = bytes.saturating_add(holding.bytes);
    }
    if count >= limit.count {
        let said = format!("{who} has {count} overlays, and veneer.toml allows {}", limit.count);
        return Err(Denial::LimitExceeded(said));
    }
    Ok(limit.bytes.saturating_sub(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asker(uid: u32, name: &str) -> Asker {
        Asker { uid, name: name.into(), groups: vec!["devs".into()] }
    }

    fn holding(owner: u32, bytes: u64) -> Holding {
        Holding { owner, groups: vec!["devs".into()], count: 1, bytes }
    }

    fn rules() -> Rules {
        let mut rules = Rules { each: Limit { count: 2, bytes: 100 }, ..Rules::default() };
        rules.users.insert("carol".into(), Limit { count: 0, bytes: 0 });
        rules
    }

    #[test]
    fn a_user_has_so_many_and_so_much() {
        let (rules, alice) = (rules(), asker(1, "alice"));
        assert_eq!(rules.room(&alice, &[]), Ok(100));
        assert_eq!(rules.room(&alice, &[holding(1, 30), holding(2, 90)]), Ok(70));
        assert!(rules.fits(&alice, &[holding(1, 30)], 71).is_err());
        assert!(rules.fits(&alice, &[holding(1, 30)], 70).is_ok());
        let Err(Denial::LimitExceeded(said)) = rules.room(&alice, &[holding(1, 1), holding(1, 1)]) else {
            panic!("two are enough")
        };
        assert_eq!(said, "user alice has 2 overlays, and veneer.toml allows 2");
        assert!(rules.room(&asker(3, "carol"), &[]).is_err());
        // A new version of the second is no third one.
        let again = Holding { count: 0, ..holding(1, 30) };
        assert_eq!(rules.room(&alice, &[holding(1, 30), again]), Ok(40));
    }

    #[test]
    fn a_groups_limit_is_shared_by_its_members() {
        let mut rules = rules();
        rules.groups.insert("devs".into(), Limit { count: 3, bytes: 120 });
        rules.groups.insert("others".into(), Limit { count: 0, bytes: 0 });
        let alice = asker(1, "alice");
        assert_eq!(rules.room(&alice, &[holding(2, 60)]), Ok(60));
        assert!(rules.room(&alice, &[holding(2, 1), holding(2, 1), holding(3, 1)]).is_err());
    }

    #[test]
    fn no_sum_of_sizes_makes_room() {
        let held = [holding(1, u64::MAX), holding(2, u64::MAX)];
        assert_eq!(rules().room(&asker(1, "alice"), &held), Ok(0));
    }
}
