//! Reads one app: merges its files and makes a checked `App` of them, or says everything that is wrong.
//! It reads no disk and sees no other app but by name.
//! The keys are veneer.app(5)'s.

use super::keys::{self, APP};
use super::merge::Known;
use super::read::Fields;
use super::report::Report;
use super::settings::Host;
use super::template::merged;
use super::text::AppText;
use super::{image, inject, overlay, service, session};
use crate::app::{App, Autostart, Skeleton};
use crate::path::AbsPath;
use crate::problem::Problem;
use crate::unit::Text;

/// An app that can be planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The app.
    pub app: App,
    /// What works, but not as somebody reading the file would think.
    pub warnings: Vec<Problem>,
}

/// Reads one app's files; the error is everything that is wrong with them, warnings among it.
/// A masked app is an error as well: ask [`AppText::state`] first.
pub fn load_app(text: &AppText, host: &Host<'_>) -> Result<Loaded, Vec<Problem>> {
    let mut report = Report::default();
    let app = read(text, host, &mut report);
    match app {
        Some(app) if !report.has_errors() => Ok(Loaded { app, warnings: report.into_problems() }),
        _ => Err(report.into_problems()),
    }
}

/// Whether `reset` may name a key of an app.
pub(super) fn known(path: &str) -> Known {
    keys::may_reset(APP, path)
}

fn read(text: &AppText, host: &Host<'_>, report: &mut Report) -> Option<App> {
    let table = merged(text, host, report)?;
    let top = Fields::top(APP, &table, report);
    let about = top.section(APP, "app", report);
    let description = about.get("description").and_then(|field| field.parse(report, Text::parse));
    let autostart = about.get("autostart").and_then(|field| field.boolean(report));
    if let Some(extends) = about.get("extends") {
        extends.text(report);
    }
    let section = top.section(APP, "image", report);
    let skeleton = section.get("skeleton").and_then(|field| field.boolean(report));
    let image = image::read(section, (&text.id, &text.file), host, report);
    let over = top.section(APP, "overlay", report);
    let copies = top.section(APP, "session", report);
    let sessions = session::read(copies, host, report);
    let overlay = overlay::read(over, copies, report);
    let injected = inject::of_app(top.section(APP, "inject", report), image.as_ref(), report);
    let service = service::read(top.section(APP, "service", report), text, host, report);
    // A file that stands alone is read as the one it is to become.
    let source =
        AbsPath::parse(&text.file.path).or_else(|_| AbsPath::parse(&format!("/etc/veneer/apps.d/{}.toml", text.id)));
    let (image, service, source) = (image::with(image?, injected), service?, source.ok()?);
    overlay::fits(&overlay, &image, &service, over, report);
    let sessions = sessions.map(|sessions| session::fitting(sessions, (&image, &overlay), copies, report));
    Some(App {
        id: text.id.clone(),
        source,
        description,
        autostart: if autostart == Some(true) { Autostart::Yes } else { Autostart::No },
        image,
        skeleton: if skeleton == Some(false) { Skeleton::Without } else { Skeleton::Under },
        overlay,
        service,
        sessions,
    })
}
