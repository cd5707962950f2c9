//! The store's small files: records of references, and pins, written so that they are whole or absent.
//! It reads single ones; all of them are `read`'s.
//! What is in them is `store::record`'s.

use super::StoreDir;
use crate::host::below_root::{remove, replace};
use crate::image::publish::ImageName;
use crate::layout::{PINS, RECORDS, STORE};
use crate::store::{Pin, Record};
use crate::verity::Fault;
use anyhow::{Context, Result};
use std::io::ErrorKind;
use std::path::Path;

/// What a reference was resolved to; none if it never was.
pub fn record(store: &StoreDir, reference: &str) -> Result<Option<Record>> {
    let path = store.at(RECORDS).join(Record::file_name(reference));
    let Some(text) = small(&path)? else { return Ok(None) };
    let record = Record::parse(&text).map_err(|said| Fault::data(format!("{}: {said}", path.display())))?;
    Ok(Some(record).filter(|record| record.reference == reference))
}

/// Writes what a reference was resolved to, in the place of what was known of it.
pub fn write_record(store: &StoreDir, record: &Record) -> Result<()> {
    store.make(STORE)?;
    replace(&store.at(RECORDS).join(Record::file_name(&record.reference)), record.to_text()?)
}

/// Forgets what a reference was resolved to.
pub fn remove_record(store: &StoreDir, reference: &str) -> Result<()> {
    remove(&store.at(RECORDS).join(Record::file_name(reference)))
}

/// The pin of an image; none if it has none.
pub fn pin(store: &StoreDir, image: &ImageName) -> Result<Option<Pin>> {
    let path = pin_path(store, image);
    let Some(text) = small(&path)? else { return Ok(None) };
    let parsed = Pin::parse(&text).map_err(|said| Fault::data(format!("{}: {said}", path.display())));
    Ok(Some(parsed?))
}

/// Pins an image.
pub fn write_pin(store: &StoreDir, image: &ImageName, pin: &Pin) -> Result<()> {
    store.make(STORE)?;
    replace(&pin_path(store, image), pin.to_text()?)
}

/// Takes the pin of an image away.
pub fn remove_pin(store: &StoreDir, image: &ImageName) -> Result<()> {
    remove(&pin_path(store, image))
}

fn pin_path(store: &StoreDir, image: &ImageName) -> std::path::PathBuf {
    store.at(PINS).join(format!("{image}.json"))
}

/// The bytes of a small file; none if it is not there.
pub fn small(path: &Path) -> Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::digest::Digest;
    use std::collections::BTreeMap;

    #[test]
    fn notes_come_and_go() {
        let root = tempfile::tempdir().expect("temporary directory");
        let store = StoreDir::below(root.path());
        let a = ImageName::parse("a").expect("name");
        assert!(record(&store, "docker://a").expect("read").is_none() && pin(&store, &a).expect("read").is_none());
        let (reference, manifest, image) = ("docker://a".to_owned(), Digest::of(b"m"), Some(a.clone()));
        let made = Record { reference, manifest, image, when: 1, labels: BTreeMap::new(), blobs: Vec::new() };
        write_record(&store, &made).expect("written");
        write_pin(&store, &a, &Pin { when: 7, reason: None }).expect("written");
        assert!(record(&store, "docker://a").expect("read").is_some_and(|record| record.when == 1));
        assert!(pin(&store, &a).expect("read").is_some_and(|pin| pin.when == 7));
        for _ in 0..2 {
            remove_record(&store, "docker://a").expect("removed");
            remove_pin(&store, &a).expect("removed");
        }
        assert!(record(&store, "docker://a").expect("read").is_none() && pin(&store, &a).expect("read").is_none());
    }
}
