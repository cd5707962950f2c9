//! As what file system a new image is written, and how large it is: what is asked for, held against what was there.
//! It measures nothing: how much room there was, and how much goes in, comes from whoever knows.
//! Rules: docs/inject.md, "The new image".

use super::wish::{Bytes, Injection, What};
use crate::convert::Form;
use crate::image::erofs::EqualFiles;
use crate::image::ext4::{Journal, Size};
use crate::image::read::Kind;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// What the image is.
    Same,
    /// What the image is, which is ext4 then: something was said of its size or its journal.
    SameExt4(Option<Size>, Option<Journal>),
    /// EROFS.
    Erofs,
    /// ext4, and what was said of its size and its journal.
    Ext4(Option<Size>, Option<Journal>),
}

/// What an inode and a name may take besides a file's own blocks.
const BESIDES: u64 = 4096;
/// What is left free on top, since two writers do not lay out alike.
const SPARE: u64 = 1 << 20;

impl Wanted {
    /// The new image's form; the error is a sentence.
    pub fn form(self, there: Kind, injections: &[Injection<Bytes>]) -> Result<Form, &'static str> {
        let (size, journal) = match (self, there) {
            (Self::Erofs, _) | (Self::Same, Kind::Erofs) => return Ok(Form::Erofs(EqualFiles::Apart)),
            (Self::SameExt4(..), Kind::Erofs) => {
                return Err("--size and --journal are for ext4, and this image is EROFS: say --format=ext4 as well");
            }
            (Self::Same, Kind::Ext4(_)) => (None, None),
            (Self::Ext4(size, journal) | Self::SameExt4(size, journal), _) => (size, journal),
        };
        let had = match there {
            Kind::Ext4(room) if size.is_none() && room.free >= needed(injections) => Some(room),
            Kind::Ext4(_) | Kind::Erofs => None,
        };
        let usual = match size {
            Some(Size::Bytes(_)) => Journal::BySize,
            Some(Size::Exact) | None => had.map_or(Journal::None, |room| room.journal),
        };
        let size = size.or(had.map(|room| Size::Bytes(room.size))).unwrap_or(Size::Exact);
        Ok(Form::Ext4(size, journal.unwrap_or(usual)))
    }
}

/// The room that injected things take at most.
fn needed(injections: &[Injection<Bytes>]) -> u64 {
    let one = |injection: &Injection<Bytes>| match &injection.what {
        What::File(bytes) => bytes.size.next_multiple_of(BESIDES).saturating_add(BESIDES),
        What::Link(_) | What::Directory(_) => 2 * BESIDES,
    };
    injections.iter().map(one).fold(SPARE, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::read::Room;

    #[test]
    fn an_image_stays_what_it_was_unless_something_else_is_asked_for() {
        let there = |free| Kind::Ext4(Room { size: 1 << 30, free, journal: Journal::BySize });
        let erofs = Form::Erofs(EqualFiles::Apart);
        let form = |wanted: Wanted, there| wanted.form(there, &[]).expect("possible");
        assert_eq!(form(Wanted::Same, Kind::Erofs), erofs);
        assert_eq!(form(Wanted::Erofs, there(1 << 29)), erofs);
        assert_eq!(form(Wanted::Same, there(1 << 29)), Form::Ext4(Size::Bytes(1 << 30), Journal::BySize));
        // One that is full, or was made as large as what is in it.
        assert_eq!(form(Wanted::Same, there(0)), Form::Ext4(Size::Exact, Journal::None));
        assert_eq!(form(Wanted::Ext4(None, None), Kind::Erofs), Form::Ext4(Size::Exact, Journal::None));
        let large = Size::Bytes(2 << 30);
        assert_eq!(form(Wanted::Ext4(Some(large), None), there(0)), Form::Ext4(large, Journal::BySize));
        let none = Wanted::Ext4(None, Some(Journal::None));
        assert_eq!(form(none, there(1 << 29)), Form::Ext4(Size::Bytes(1 << 30), Journal::None));
        // A size does not make another file system of it.
        let sized = Wanted::SameExt4(Some(large), None);
        assert_eq!(form(sized, there(0)), Form::Ext4(large, Journal::BySize));
        assert!(sized.form(Kind::Erofs, &[]).is_err());
    }
}
