//! Whether what runs is what is configured and what lies on the disk.
//! It changes nothing: a start compares again and acts on it (`veneer-verity`), this only tells.
//! A live mark says what the chain was set up from (`live`).

use super::apps::{View, views};
use super::context::Context;
use crate::app::App;
use crate::host::below_root;
use crate::live::{FileIdentity, FileMark, LiveMark, LiveSource};
use crate::plan;

/// What differs, each as a part of a sentence.
pub(super) fn reasons(
    mark: &LiveMark,
    app: Option<&App>,
    identity: impl Fn(&str) -> Option<FileIdentity>,
) -> Vec<String> {
    let mut reasons = Vec::new();
    if let (Some(old), Some(new)) = (&mark.chain, app.and_then(chain)) {
        if *old != new {
            reasons.push("its configuration has changed".into());
        }
    }
    match &mark.source {
        LiveSource::Directory(_) => {}
        LiveSource::Fallback { looked_for, .. } => {
            let there = looked_for.iter().find(|path| identity(path).is_some());
            reasons.extend(there.map(|path| format!("the image {path} is there now")));
        }
        LiveSource::Image(image) => {
            let all = std::iter::once(&image.file).chain(&image.side_files);
            reasons.extend(all.filter_map(|file| changed(file, &identity)));
            let mut stronger = image.looked_for.iter().take_while(|path| **path != image.file.path);
            let better = stronger.find(|path| identity(path).is_some());
            reasons.extend(better.map(|path| format!("{path} is there now, and comes first")));
        }
    }
    reasons
}

fn changed(file: &FileMark, identity: &impl Fn(&str) -> Option<FileIdentity>) -> Option<String> {
    match identity(&file.path) {
        None => Some(format!("{} is gone", file.path)),
        Some(now) => (now != file.identity).then(|| format!("{} has changed", file.path)),
    }
}

/// The digest of the chain that an app's configuration makes.
fn chain(app: &App) -> Option<String> {
    let units = plan::units(app).ok()?;
    let files = plan::chain_files(&app.id);
    Some(plan::chain_digest(units.iter().filter(|(path, _)| files.iter().any(|file| file == path))))
}

/// The reasons of one app on this machine.
pub(super) fn of(context: &Context, view: &View, mark: &LiveMark) -> Vec<String> {
    reasons(mark, view.app.as_ref(), |path| below_root::identity(&context.at(path)))
}

/// What an admin should know after a reload: which apps run on as they were.
pub(super) fn notes(context: &Context) -> String {
    let marks = context.marks();
    let views = views(&context.config(), marks.iter().map(|mark| &mark.id));
    let mut out = String::new();
    for mark in &marks {
        let view = views.iter().find(|view| view.id == mark.id);
        let reasons = view.map(|view| of(context, view, mark)).unwrap_or_default();
        if let Some(reason) = reasons.first() {
            let id = &mark.id;
            out.push_str(&format!("{id} runs on as it was, though {reason}: systemctl stop app@{id}, then start\n"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::{LiveImage, Shown};
    use crate::name::AppId;

    const OLD: FileIdentity = FileIdentity { device: 1, inode: 2, size: 3, modified: 4 };

    fn mark(source: LiveSource) -> LiveMark {
        LiveMark { id: AppId::parse("a").expect("good id"), since: 0, chain: None, source, files: Vec::new() }
    }

    fn image() -> LiveSource {
        LiveSource::Image(Box::new(LiveImage {
            require: "verity".into(),
            shown: Shown::Nothing,
            kind: "erofs".into(),
            device: "/dev/dm-0".into(),
            dm_name: None,
            looked_for: vec!["/first/a.raw".into(), "/second/a.raw".into()],
            file: FileMark { path: "/second/a.raw".into(), identity: OLD },
            side_files: Vec::new(),
        }))
    }

    #[test]
    fn an_image_is_stale_once_it_is_another() {
        let mark = mark(image());
        let at = |wanted: &'static str, identity| move |path: &str| (path == wanted).then_some(identity);
        assert_eq!(reasons(&mark, None, at("/second/a.raw", OLD)), [""; 0]);
        let new = FileIdentity { inode: 9, ..OLD };
        assert_eq!(reasons(&mark, None, at("/second/a.raw", new)), ["/second/a.raw has changed"]);
        assert_eq!(reasons(&mark, None, |_| None), ["/second/a.raw is gone"]);
        let both = reasons(&mark, None, |_| Some(OLD));
        assert_eq!(both, ["/first/a.raw is there now, and comes first"]);
    }

    #[test]
    fn a_fallback_is_stale_once_there_is_an_image() {
        let looked_for = vec!["/x.raw".to_owned()];
        let mark = mark(LiveSource::Fallback { directory: "/opt/a".into(), looked_for });
        assert_eq!(reasons(&mark, None, |_| None), [""; 0]);
        assert_eq!(reasons(&mark, None, |_| Some(OLD)), ["the image /x.raw is there now"]);
    }
}
