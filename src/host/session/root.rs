//! The copy of a tree, bound where a session's root is looked for.
//! It makes no copy and decides no place. A link would do for people, but not as `RootDirectory=` of systemd 252, which
//! follows none. It keeps programs from what the mount of the copy does, and like an overlay from set-id bits.

use super::overlay::MODE;
use crate::host::files;
use crate::host::overlay::mounting;
use crate::overlay::record::Mode;
use crate::overlay::{Guard, Guards};
use crate::session::spec::SetId;
use anyhow::Result;

/// Binds a directory there.
pub(super) fn bind(from: &str, at: &str, set_id: SetId) -> Result<()> {
    files::make_directory(at, MODE)?;
    mounting::attach(&mounting::view(from)?, at)?;
    // What somebody mounts in the copy itself is not the session's, and must not go with it.
    mounting::make_private(at)?;
    let own = match set_id {
        SetId::Ignored => Guards::from_iter([Guard::NoSuid]),
        SetId::Honoured => Guards::default(),
    };
    mounting::restrict(at, Mode::Writable, &mounting::guards(at)?.and(&own))
}
