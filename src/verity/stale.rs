//! Whether what is live for an app is what its units and files say now.
//! It looks at no disk: what is there now comes in by a question.
//! What a mark holds is `live`; what is done about it is `host::check`.

use crate::live::{FileIdentity, FileMark, LiveMark, LiveSource};
use std::fmt;

/// What is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stale {
    /// The units are others than those it was set up from.
    Units,
    /// A file was changed or replaced.
    Replaced(String),
    /// A file is gone.
    Gone(String),
    /// There is an image now where there was none.
    Appeared(String),
}

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Units => f.write_str("the configuration was changed"),
            Self::Replaced(path) => write!(f, "{path} was replaced"),
            Self::Gone(path) => write!(f, "{path} is gone"),
            Self::Appeared(path) => write!(f, "{path} has appeared"),
        }
    }
}

/// The first thing that is not as it was. `now` tells what is at a path.
pub fn find<E>(
    mark: &LiveMark,
    chain: Option<&str>,
    mut now: impl FnMut(&str) -> Result<Option<FileIdentity>, E>,
) -> Result<Option<Stale>, E> {
    match (chain, &mark.chain) {
        (Some(wanted), Some(live)) if wanted != live => return Ok(Some(Stale::Units)),
        _ => {}
    }
    let (looked_for, files): (&[String], Vec<&FileMark>) = match &mark.source {
        LiveSource::Directory(_) => (&[], Vec::new()),
        LiveSource::Fallback { looked_for, .. } => (looked_for, Vec::new()),
        LiveSource::Image(image) => {
            let before = image.looked_for.len().saturating_sub(1);
            (&image.looked_for[..before], [&image.file].into_iter().chain(&image.side_files).collect())
        }
    };
    for path in looked_for {
        if now(path)?.is_some() {
            return Ok(Some(Stale::Appeared(path.clone())));
        }
    }
    for file in files {
        match now(&file.path)? {
            None => return Ok(Some(Stale::Gone(file.path.clone()))),
            Some(identity) if identity != file.identity => return Ok(Some(Stale::Replaced(file.path.clone()))),
            Some(_) => {}
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::{LiveImage, Shown};
    use crate::name::AppId;

    const WAS: FileIdentity = FileIdentity { device: 1, inode: 2, size: 3, modified: 4 };

    fn mark(source: LiveSource) -> LiveMark {
        let id = AppId::parse("a").expect("good id");
        LiveMark { id, since: 0, chain: Some("1".into()), source, files: Vec::new() }
    }

    fn image() -> LiveMark {
        let file = |path: &str| FileMark { path: path.into(), identity: WAS };
        mark(LiveSource::Image(Box::new(LiveImage {
            require: "none".into(),
            shown: Shown::Nothing,
            kind: "erofs".into(),
            device: "/dev/loop0".into(),
            dm_name: None,
            looked_for: vec!["/s/a.raw".into(), "/t/a.raw".into()],
            file: file("/t/a.raw"),
            side_files: vec![file("/t/a.verity")],
        })))
    }

    fn found(mark: &LiveMark, chain: Option<&str>, there: &[(&str, FileIdentity)]) -> Option<Stale> {
        let now = |path: &str| Ok::<_, ()>(there.iter().find(|(name, _)| *name == path).map(|(_, identity)| *identity));
        find(mark, chain, now).expect("no error")
    }

    #[test]
    fn every_way_to_be_stale_is_seen_and_nothing_else() {
        let (a, v) = (("/t/a.raw", WAS), ("/t/a.verity", WAS));
        assert_eq!(found(&image(), Some("1"), &[a, v]), None);
        assert_eq!(found(&image(), None, &[a, v]), None);
        assert_eq!(found(&image(), Some("2"), &[a, v]), Some(Stale::Units));
        assert_eq!(found(&image(), Some("1"), &[v]), Some(Stale::Gone("/t/a.raw".into())));
        assert_eq!(found(&image(), Some("1"), &[a, v, ("/s/a.raw", WAS)]), Some(Stale::Appeared("/s/a.raw".into())));
        for other in [
            FileIdentity { device: 9, ..WAS },
            FileIdentity { inode: 9, ..WAS },
            FileIdentity { size: 9, ..WAS },
            FileIdentity { modified: 9, ..WAS },
        ] {
            let stale = Some(Stale::Replaced("/t/a.verity".into()));
            assert_eq!(found(&image(), Some("1"), &[a, ("/t/a.verity", other)]), stale);
        }
    }

    #[test]
    fn a_fallback_is_stale_once_there_is_an_image() {
        let mark = mark(LiveSource::Fallback { directory: "/d".into(), looked_for: vec!["/s/a.raw".into()] });
        assert_eq!(found(&mark, Some("1"), &[]), None);
        assert_eq!(found(&mark, Some("1"), &[("/s/a.raw", WAS)]), Some(Stale::Appeared("/s/a.raw".into())));
    }
}
