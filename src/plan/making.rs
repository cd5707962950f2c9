//! The drop-ins of what stands before an app's verity device where its image is made of a container image:
//! `veneer-pull@`, which fetches or builds, and `veneer-convert@`, which makes the image.
//! Both do nothing if the store has what they would make; neither is asked here.
//! What a registry needs no rights for is static; containers-storage, builds and the layers of others get theirs by a link to a profile.

use super::verity::helper;
use super::{Names, making};
use crate::app::{App, Making, Pull};
use crate::config::KEEP;
use crate::convert::Form;
use crate::image::ext4::Size;
use crate::inject::{Injection, What};
use crate::layout::PROFILES;
use crate::merge::Boot;
use crate::name::AppId;
use crate::oci::source::Source;
use crate::origin::Origin;
use crate::unit::{Duplicate, Unit, UnitSet, Value};

/// The link that gives a pull the rights it needs; it sorts before our drop-in.
pub(super) const PULL_DROP_IN: &str = "40-veneer-pull.conf";
/// The same for a conversion.
pub(super) const CONVERT_DROP_IN: &str = "40-veneer-convert.conf";

pub(super) fn plan(app: &App, names: &Names, set: &mut UnitSet) -> Result<(), Duplicate> {
    let Some(making) = making(app) else { return Ok(()) };
    if making.origin.is_pulled() {
        set.drop_in(&names.pull, pull(app, making))?;
        let profile = match making.origin {
            Origin::Storage(_) => Some("pull-storage"),
            Origin::Build(_) => Some("pull-build"),
            Origin::Registry(_) | Origin::Local(_) => None,
        };
        if let Some(profile) = profile {
            set.drop_in_link(&names.pull, PULL_DROP_IN, format!("{PROFILES}/{profile}.conf"))?;
        }
    }
    if let Origin::Local(Source::Overlay2(_) | Source::Snapshot(_)) = making.origin {
        set.drop_in_link(&names.convert, CONVERT_DROP_IN, format!("{PROFILES}/convert-layers.conf"))?;
    }
    set.drop_in(&names.convert, convert(app, names, making))
}

fn pull(app: &App, making: &Making) -> Unit {
    let mut unit = Unit::from_source(&app.source);
    mounts_for(making.origin.needs(), &mut unit);
    run(&pull_words(&making.origin, &making.pull), &mut unit);
    unit
}

/// The command line that fetches.
pub fn pull_words(origin: &Origin, files: &Pull) -> Vec<String> {
    let Pull { auth_file, policy, registries, certificates } = files;
    let files =
        [("auth-file", auth_file), ("policy", policy), ("registries", registries), ("certificates", certificates)];
    let files = files.into_iter().filter_map(|(option, path)| Some(format!("--{option}={}", path.as_ref()?)));
    ["veneer-pull".to_owned(), origin.to_string()].into_iter().chain(files).collect()
}

/// The command line that makes an app's image.
pub fn make_words(id: &AppId, making: &Making) -> Vec<String> {
    let mut words: Vec<String> = ["veneer-version", "make"].map(str::to_owned).to_vec();
    words.extend([making.origin.to_string(), format!("--app={id}")]);
    if making.keep != KEEP {
        words.push(format!("--keep={}", making.keep));
    }
    if let Form::Ext4(size, _) = making.form {
        words.push("--format=ext4".to_owned());
        words.extend(if let Size::Bytes(bytes) = size { Some(format!("--size={bytes}")) } else { None });
    }
    if making.boot == Boot::Made {
        words.push("--bootable".to_owned());
    }
    words.extend(making.injected.iter().map(Injection::word));
    words
}

fn convert(app: &App, names: &Names, making: &Making) -> Unit {
    let mut unit = Unit::from_source(&app.source);
    let sources = making.injected.iter().filter_map(|one| match &one.what {
        What::File(source) => Some(source.as_str()),
        What::Link(_) | What::Directory(_) => None,
    });
    let mut needs: Vec<&str> = sources.collect();
    if making.origin.is_pulled() {
        unit.set("Requires", Value::Units(&[&names.pull]));
        unit.set("After", Value::Units(&[&names.pull]));
    } else {
        needs.extend(making.origin.needs());
    }
    mounts_for(needs, &mut unit);
    run(&make_words(&app.id, making), &mut unit);
    unit
}

fn mounts_for(paths: Vec<&str>, unit: &mut Unit) {
    if !paths.is_empty() {
        unit.set("RequiresMountsFor", Value::Paths(&paths));
    }
}

fn run(words: &[String], unit: &mut Unit) {
    unit.section("Service");
    unit.set("ExecStart", Value::Reset);
    unit.set("ExecStart", Value::Exec { prefix: "", argv: &helper(words) });
}
