//! What is to be done about an overlay that an act left half-way, or a boot has not brought back yet.
//! Pure: it gets what was found and says what follows; doing it is `host::overlay::recover`'s.
//! The rules are docs/overlays.md's, "After a crash".

use super::record::{Lifetime, Pending, Record};

/// What was found of an overlay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Whether it is mounted over its target.
    pub mounted: Mounted,
    /// The version that its layers are up for, in this boot.
    pub in_use: Option<u32>,
    /// Whether its data is there.
    pub data: Data,
}

/// The data of an overlay. A transient one's is mounts, which a soft reboot takes off, while it keeps the record in `/run`
/// (systemd-soft-reboot.service(8)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    /// It is there.
    Whole,
    /// It is not, or not all of it.
    Gone,
}

/// Whether an overlay is mounted over its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mounted {
    /// It is.
    Yes,
    /// It is not.
    No,
}

/// When it is looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Once in a boot: what is not mounted has not come back yet.
    Boot,
    /// Before another act: what is not mounted may have been stopped by an admin.
    Between,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cure {
    /// Nothing.
    Nothing,
    /// Its first apply broke off: it is removed.
    Undo,
    /// Its removal broke off: it is finished.
    FinishRemoval,
    /// It has a version that is recorded and not seen: it is mounted in the place of the one that is.
    Switch,
    /// It is not mounted, and should be.
    Mount,
    /// Its data is gone: what is left of it goes, too.
    Erase,
}

/// What follows from a record and what was found.
pub fn cure(record: &Record, found: Found, when: When) -> Cure {
    match (record.pending, found.mounted) {
        (Some(Pending::Remove), _) => Cure::FinishRemoval,
        (Some(Pending::Apply), _) => Cure::Undo,
        (None, Mounted::Yes) if found.in_use != Some(record.current) => Cure::Switch,
        (None, Mounted::Yes) => Cure::Nothing,
        (None, Mounted::No) => match (when, record.lifetime, found.data) {
            (When::Boot, Lifetime::Persistent, _) => Cure::Mount,
            (When::Boot, Lifetime::Transient, Data::Gone) => Cure::Erase,
            _ => Cure::Nothing,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overlay::record::tests::record;

    #[test]
    fn what_broke_off_is_finished_or_undone_and_what_was_stopped_stays_stopped() {
        let mut record = record("a", "/opt/a");
        let up = Found { mounted: Mounted::Yes, in_use: Some(1), data: Data::Whole };
        let off = Found { mounted: Mounted::No, in_use: None, data: Data::Whole };
        assert_eq!(cure(&record, up, When::Between), Cure::Nothing);
        assert_eq!(cure(&record, off, When::Boot), Cure::Nothing);
        record.lifetime = Lifetime::Persistent;
        assert_eq!(cure(&record, off, When::Boot), Cure::Mount);
        assert_eq!(cure(&record, off, When::Between), Cure::Nothing);
        assert_eq!(cure(&record, Found { in_use: Some(2), ..up }, When::Between), Cure::Switch);
        record.pending = Some(Pending::Apply);
        assert_eq!(cure(&record, off, When::Boot), Cure::Undo);
        record.pending = Some(Pending::Remove);
        assert_eq!(cure(&record, up, When::Between), Cure::FinishRemoval);
    }

    #[test]
    fn a_transient_overlay_without_its_data_goes_at_boot_and_a_persistent_one_never() {
        let mut record = record("a", "/opt/a");
        let gone = Found { mounted: Mounted::No, in_use: None, data: Data::Gone };
        assert_eq!(cure(&record, gone, When::Boot), Cure::Erase);
        assert_eq!(cure(&record, gone, When::Between), Cure::Nothing);
        assert_eq!(cure(&record, Found { mounted: Mounted::Yes, in_use: Some(1), ..gone }, When::Boot), Cure::Nothing);
        record.lifetime = Lifetime::Persistent;
        assert_eq!(cure(&record, gone, When::Boot), Cure::Mount);
    }
}
