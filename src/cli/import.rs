//! `veneer image import`: a container image into the store, and a file for an app of it.
//! The text is `origin::app_file`'s; the image is made by `pulled`'s road.
//! An app's file that is there is never written over.

use super::args::ImageImport;
use super::context::Context;
use super::fault::fault;
use super::pulled::{fetch, only_here};
use crate::config::Host;
use crate::host::image_look::run_helper;
use crate::host::store::StoreDir;
use crate::host::version::image_config;
use crate::host::{below_root, terminal};
use crate::name::AppId;
use crate::origin::Origin;
use crate::origin::app_file::RunConfig;
use crate::sysexits::Exit;
use anyhow::Result;
use std::ffi::OsString;

pub(super) fn run(context: &Context, args: &ImageImport) -> Result<String> {
    only_here(context, "import")?;
    let reference = args.source.to_string();
    let file = match &args.id {
        Some(id) => Some(AppId::parse(id).map_err(|said| fault(Exit::Usage, said))?),
        None => None,
    };
    let file = file.map(|id| (context.at(&format!("/etc/veneer/apps.d/{id}.toml")), id));
    if let Some((path, id)) = file.as_ref().filter(|(path, _)| below_root::exists(path)) {
        let said = format!("{} is there already: remove it, or give {id} another id", path.display());
        return Err(fault(Exit::Usage, said));
    }
    let config = context.config();
    let (host, _) = Host::load(&config);
    fetch(&args.source, &host.settings.pull, false, args.dry.dry_run)?;
    let mut words: Vec<OsString> = ["make", &reference].map(OsString::from).to_vec();
    words.extend(args.dry.dry_run.then(|| "--dry-run".into()));
    run_helper("veneer-version", &words)?;
    if args.dry.dry_run {
        return Ok(file.map(|(path, _)| format!("write {}\n", path.display())).unwrap_or_default());
    }
    let text = app_file(&args.source)?;
    match file {
        None => Ok(text),
        Some((path, id)) => {
            below_root::replace(&path, text)?;
            terminal::complain(&format!(
                "{}: look it through, then: systemctl daemon-reload, systemctl start app@{id}\n",
                path.display()
            ));
            Ok(String::new())
        }
    }
}

fn app_file(origin: &Origin) -> Result<String> {
    let config = match image_config(&StoreDir::host(), origin)? {
        Some(bytes) => RunConfig::parse(&bytes).map_err(|said| fault(Exit::Data, said))?,
        None => RunConfig::default(),
    };
    Ok(config.to_app_file(&origin.to_string()))
}
