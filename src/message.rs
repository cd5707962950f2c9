//! The ids of our messages in the journal (systemd.journal-fields(7), `MESSAGE_ID=`).
//! They name a kind of event, never one occurrence; the words for people are in `catalog/veneer.catalog`.
//! Made once with `systemd-id128 new`; an id is never used again for another meaning.

/// The id of a message: 32 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageId(&'static str);

impl MessageId {
    /// As the journal wants it.
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

/// An app's image was checked and opened.
pub const ATTACHED: MessageId = MessageId("41f91795a5254af48b2926934551552b");
/// An app's image was refused: it is not what its root hash, signature or policy says.
pub const REFUSED: MessageId = MessageId("f6cae0fc870a4c21b6d31c1271de9233");
/// An app's image could not be opened for a reason that is not the image's.
pub const ATTACH_FAILED: MessageId = MessageId("11e6e7d0439f4ff9a258f5e8a63f98d8");
/// There is no image file, so the fallback directory serves.
pub const FALLBACK: MessageId = MessageId("d6e86bcab4674347a9a79c185d8a412f");
/// The kernel found a damaged block while an app ran.
pub const CORRUPTED: MessageId = MessageId("ff839eed5ce74bc2bb0593ef2f40441e");
/// The image or the configuration changed beneath a live app, and its mounts are set up again.
pub const REPLACED: MessageId = MessageId("3efc63efa94d4fa6a3d469044df1eb1a");
/// The same, but only a stop and a start can help.
pub const STALE: MessageId = MessageId("ff7e1432915f4698bfc02cd0499fd983");
/// More than usual had to be cleaned up behind an app.
pub const CLEANED: MessageId = MessageId("007473cb8713435591de5acca571b5d0");
/// Something of an app is still held, and goes when it is let go.
pub const HELD: MessageId = MessageId("a94dd4e321bb44338d048a6b636e7846");
/// The units an app was set up from could not be recorded as they were.
pub const UNITS_UNSETTLED: MessageId = MessageId("d4a639766d9042c493352a9e4cbbea68");
/// The writable layer of an app could not be made, given away or removed.
pub const OVERLAY_FAILED: MessageId = MessageId("7fb5cd6884c44ffea27407f6cda1892c");
/// The persistent data of an app was reset or removed.
pub const OVERLAY_REMOVED: MessageId = MessageId("77b98326db1d44ada33b425161afad7e");
/// An app was started that no file describes.
pub const UNKNOWN: MessageId = MessageId("eb0773ac66cd43dab56ab208992503ea");
/// An app was started that is masked.
pub const MASKED: MessageId = MessageId("a932aa13971045e7a3b723c1d1705aa0");
/// An app was started whose files are wrong.
pub const BROKEN: MessageId = MessageId("b273d4142c1b43a5be04a00eb46a78d7");
/// An app was started that is configured, and that systemd has not read yet.
pub const NOT_LOADED: MessageId = MessageId("a500751815c24286bc569af91e735d37");
/// An image was made from a container image, an archive or a directory, or was there already.
pub const CONVERTED: MessageId = MessageId("29bafbe8114448439b8d1f58bb9eb337");
/// An image could not be made.
pub const NOT_CONVERTED: MessageId = MessageId("ecbf92330c8245889512e00fe9a465cf");
/// Files were put into an image, or were there already.
pub const INJECTED: MessageId = MessageId("4320af4ef7b2435ea2fdc81e59ed5659");
/// Files could not be put into an image.
pub const NOT_INJECTED: MessageId = MessageId("8cebeaa208b24bb398b2c842ce5310cd");
/// An overlay was laid over the host, or a new version of one.
pub const HOST_OVERLAY_UP: MessageId = MessageId("077edaf8d1094caf83666f3829855681");
/// An overlay over the host was removed.
pub const HOST_OVERLAY_GONE: MessageId = MessageId("3efbae2571684835bf499d0693c6ab80");
/// Something about an overlay over the host did not work.
pub const HOST_OVERLAY_FAILED: MessageId = MessageId("ee06a7ef5c5a4f7f97457798f2498994");
/// What lies beneath an overlay has changed since it was applied.
pub const HOST_OVERLAY_BASE: MessageId = MessageId("cc53daf7d30b48938015af7f9bdd6c8a");
/// An overlay was held back since what lies beneath it has changed.
pub const HOST_OVERLAY_HELD: MessageId = MessageId("33f212c4cf5e4a1bb0a31d16dcad1db0");
/// An act that had broken off was finished or undone.
pub const HOST_OVERLAY_RECOVERED: MessageId = MessageId("f288af6b758e4dad93576124a9fe7f83");
/// What an overlay changes was made into an image.
pub const HOST_OVERLAY_COMMITTED: MessageId = MessageId("4f994d4401814085854040cc87d8aa37");
/// A user's request about an overlay over the host was granted.
pub const REQUEST_GRANTED: MessageId = MessageId("081bd0872934eb31d985e6840d283000");
/// A user's request about an overlay over the host was refused.
pub const REQUEST_REFUSED: MessageId = MessageId("f5ac47a2066a069739b721c709f7277e");

/// A container image was fetched or built, or was there already.
pub const PULLED: MessageId = MessageId("59d6bb6d362242b0a8cc2575c76fae6d");
/// A container image could not be fetched or built.
pub const NOT_PULLED: MessageId = MessageId("75de265edd274305879fef2dcf603e16");
/// An app has a new version of its image.
pub const UPDATED: MessageId = MessageId("6c7f421dd88244a8bef86170f7840f9f");
/// An app went back to the version before.
pub const ROLLED_BACK: MessageId = MessageId("be86db54dd0c4e8f97d0ae7f7dbeb19b");
/// A session was made.
pub const SESSION_MADE: MessageId = MessageId("eda8dd7805724d8ba0db8e610e9e1ee1");
/// A session could not be made.
pub const SESSION_FAILED: MessageId = MessageId("0b3e59f9e7e94e418da73a10bfd3f207");
/// A session could not be removed, or what was left of one was.
pub const SESSION_REMOVED: MessageId = MessageId("b59fb66b91c84a30950ff95fb4d202f6");

/// Something was removed from the store, since nothing refers to it.
pub const PRUNED: MessageId = MessageId("da6a6e283515458f9b5d14a611b06580");
/// Nothing was removed from the store, since something that may refer to it could not be read.
pub const NOT_PRUNED: MessageId = MessageId("3f9ba77c49bf4dbbbf5b5c9a05be75d8");
/// Something could not be removed from the store; the rest was.
pub const PRUNE_FAILED: MessageId = MessageId("8dc68346d1144855af63b249bff235bf");

/// An image was read as a whole, and is as its root hash says.
pub const SCRUBBED: MessageId = MessageId("5c847c9129e54d39b71a8527c868ad30");
/// An image was read as a whole, and is not what its root hash says.
pub const DAMAGED: MessageId = MessageId("2b13e892dfba4c42a74c5889047696f7");
/// An image was damaged, and was made again.
pub const MENDED: MessageId = MessageId("9a1d1e6c6a2f4c0f8f0c5b8e7d43b2a6");

/// All of them, for the test that each is in the catalog.
pub const ALL: &[MessageId] = &[
    ATTACHED,
    REFUSED,
    ATTACH_FAILED,
    FALLBACK,
    CORRUPTED,
    REPLACED,
    STALE,
    CLEANED,
    HELD,
    UNITS_UNSETTLED,
    OVERLAY_FAILED,
    OVERLAY_REMOVED,
    UNKNOWN,
    MASKED,
    BROKEN,
    NOT_LOADED,
    CONVERTED,
    NOT_CONVERTED,
    INJECTED,
    NOT_INJECTED,
    SESSION_MADE,
    SESSION_FAILED,
    SESSION_REMOVED,
    HOST_OVERLAY_UP,
    HOST_OVERLAY_GONE,
    HOST_OVERLAY_FAILED,
    HOST_OVERLAY_BASE,
    HOST_OVERLAY_HELD,
    HOST_OVERLAY_RECOVERED,
    HOST_OVERLAY_COMMITTED,
    PRUNED,
    NOT_PRUNED,
    PRUNE_FAILED,
    SCRUBBED,
    DAMAGED,
    MENDED,
    PULLED,
    NOT_PULLED,
    UPDATED,
    ROLLED_BACK,
    REQUEST_GRANTED,
    REQUEST_REFUSED,
];

#[cfg(test)]
mod tests {
    use super::ALL;

    const CATALOG: &str = include_str!("../catalog/veneer.catalog");

    #[test]
    fn every_id_is_in_the_catalog_once_and_the_catalog_has_no_other() {
        let mut entries: Vec<&str> = CATALOG.lines().filter_map(|line| line.strip_prefix("-- ")).collect();
        let mut ids: Vec<&str> = ALL.iter().map(|id| id.as_str()).collect();
        entries.sort_unstable();
        ids.sort_unstable();
        assert_eq!(entries, ids);
        assert!(ids.iter().all(|id| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit())));
    }

    #[test]
    fn every_entry_has_a_subject_and_a_text() {
        for entry in CATALOG.split("\n-- ").skip(1) {
            let mut lines = entry.lines().skip(1);
            assert!(lines.next().is_some_and(|line| line.starts_with("Subject: ")), "{entry}");
            assert!(lines.any(|line| line.len() > 20), "{entry}");
        }
    }
}
