//! What `veneer doctor` says of sessions: whether copies share data where they are kept, and what they cost if not.
//! It looks at the file system and at the originals, and makes no session.
//! What kinds of sessions there are: docs/sessions.md.

use super::apps::views;
use super::context::Context;
use super::doctor::{Finding, Level};
use super::time::bytes;
use crate::app::{App, Image, Reflink, SessionKind};
use crate::config::Host;
use crate::host::session::ground::{self, Beside, Ground, Shares};
use crate::layout::AppPaths;
use anyhow::Result;

/// Where sessions are kept, and which apps' are copies.
#[derive(Clone, Debug)]
pub(super) struct Sessions {
    directory: String,
    ground: Ground,
    copies: Vec<Copies>,
    /// Originals that this user may not look at.
    unseen: Vec<String>,
}

/// An app whose sessions are copies.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Copies {
    id: String,
    reflink: Reflink,
    beside: Beside,
    /// What one takes if nothing is shared; none for a tree, which would have to be walked.
    size: Option<u64>,
}

pub(super) fn look(context: &Context) -> Result<Sessions> {
    let config = context.config();
    let (host, _) = Host::load(&config);
    let directory = host.settings.sessions.to_string();
    let ground = ground::look(&directory)?;
    let mut sessions = Sessions { directory, ground, copies: Vec::new(), unseen: Vec::new() };
    for app in views(&config, []).iter().filter_map(|view| view.app.as_ref()) {
        match copies(app, &sessions.ground) {
            Ok(copies) => sessions.copies.extend(copies),
            Err(error) => sessions.unseen.push(format!("what sessions of {} cost: {error:#}", app.id)),
        }
    }
    Ok(sessions)
}

/// What an app's sessions are copies of; none if they are overlays. `auto` copies only where it costs nothing.
fn copies(app: &App, ground: &Ground) -> Result<Option<Copies>> {
    let Some(sessions) = &app.sessions else { return Ok(None) };
    let always = sessions.reflink == Reflink::Always;
    let (paths, is_file) = match (sessions.kind, &app.image) {
        (SessionKind::Overlay, _) => return Ok(None),
        (SessionKind::Auto, _) if !always => return Ok(None),
        (SessionKind::Auto | SessionKind::Tree, Image::Directory(path)) => (vec![path.to_string()], false),
        (SessionKind::Tree, Image::File(_)) => (vec![AppPaths::new(&app.id).image()], false),
        (_, Image::File(file)) => {
            (crate::verity::names::candidates(&file.place).iter().map(ToString::to_string).collect(), true)
        }
        (SessionKind::Image, Image::Directory(_)) => return Ok(None),
    };
    let found = paths.iter().find_map(|path| ground::original(ground, path).transpose()).transpose()?;
    Ok(found.map(|original| {
        let size = is_file.then_some(original.bytes);
        Copies { id: app.id.to_string(), reflink: sessions.reflink, beside: original.beside, size }
    }))
}

pub(super) fn findings(sessions: &Sessions) -> Vec<Finding> {
    let mut all = vec![place(sessions)];
    all.extend(sessions.copies.iter().filter_map(|copies| cost(sessions, copies)));
    let unseen = |text: &String| Finding::new("sessions", Level::Warn, text).advise("run veneer doctor as root");
    all.extend(sessions.unseen.iter().map(unseen));
    all
}

fn place(sessions: &Sessions) -> Finding {
    let Sessions { directory, ground, .. } = sessions;
    let on = format!("{directory} is on {}", ground.file_system);
    match &ground.shares {
        Shares::Yes => Finding::ok("sessions", format!("{on}, which shares data (reflink): copies cost nothing")),
        Shares::No => {
            let text =
                "which shares no data (reflink): kind = \"auto\" makes overlays; \"image\" and \"tree\" copy all";
            Finding::ok("sessions", format!("{on}, {text}"))
        }
        Shares::Untried(why) => Finding::new("sessions", Level::Warn, format!("whether {on} that shares data: {why}"))
            .advise("run veneer doctor as root"),
    }
}

/// What the sessions of an app cost; nothing to say if that is nothing.
fn cost(sessions: &Sessions, copies: &Copies) -> Option<Finding> {
    let Copies { id, reflink, beside, size } = copies;
    let shared = match (&sessions.ground.shares, beside) {
        (Shares::Untried(_), _) => return None,
        (Shares::Yes, Beside::Yes) => *reflink != Reflink::Never,
        _ => false,
    };
    if shared {
        return None;
    }
    let advice = match (&sessions.ground.shares, beside) {
        (Shares::Yes, _) if *reflink == Reflink::Never => "leave out reflink = \"never\"",
        (Shares::Yes, _) => "keep image and sessions on one file system: [session] directory in veneer.toml(5)",
        _ => "images and sessions on XFS or Btrfs: [session] directory in veneer.toml(5), examples/reflink",
    };
    let finding = match (reflink, size) {
        (Reflink::Always, _) => {
            let text = format!("no session of {id} can be made: reflink = \"always\", and its data cannot be shared");
            Finding::new("sessions", Level::Fail, text)
        }
        (_, Some(size)) => {
            Finding::new("sessions", Level::Warn, format!("each session of {id} copies {}", bytes(*size)))
        }
        (_, None) => Finding::new("sessions", Level::Warn, format!("each session of {id} copies all of its files")),
    };
    Some(finding.advise(advice))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(shares: Shares, reflink: Reflink, beside: Beside) -> Vec<String> {
        let ground = Ground::imagined("ext4", shares);
        let copies = Copies { id: "vm".into(), reflink, beside, size: Some(3 << 30) };
        let sessions = Sessions { directory: "/s".into(), ground, copies: vec![copies], unseen: Vec::new() };
        findings(&sessions).iter().map(Finding::plain).collect()
    }

    #[test]
    fn a_copy_is_told_with_its_size() {
        let said = said(Shares::No, Reflink::Auto, Beside::Yes);
        assert!(said[0].starts_with("Ok: /s is on ext4, which shares no data"), "{said:?}");
        assert!(said[1].starts_with("Warn: each session of vm copies 3.0G -> images and sessions on XFS"), "{said:?}");
    }

    #[test]
    fn what_is_shared_is_no_news() {
        assert_eq!(said(Shares::Yes, Reflink::Always, Beside::Yes).len(), 1);
        let elsewhere = said(Shares::Yes, Reflink::Auto, Beside::No);
        assert!(elsewhere[1].contains("copies 3.0G -> keep image and sessions on one"), "{elsewhere:?}");
        let never = said(Shares::Yes, Reflink::Never, Beside::Yes);
        assert!(never[1].ends_with("leave out reflink = \"never\""), "{never:?}");
    }

    #[test]
    fn sessions_that_cannot_be_are_a_failure() {
        let said = said(Shares::No, Reflink::Always, Beside::Yes);
        assert!(said[1].starts_with("Fail: no session of vm can be made"), "{said:?}");
    }
}
