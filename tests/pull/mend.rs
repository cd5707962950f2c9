//! Damaged images made again: of the layers in the store, and of the registry's where those are damaged too.

use crate::registry::{Registry, image};
use crate::{Silent, making, place, spec};
use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use veneer::host::image_look::Look;
use veneer::host::interruption::Interruption;
use veneer::host::pull::run;
use veneer::host::store::StoreDir;
use veneer::host::version::{Mended, damaged, make, mend};
use veneer::image::publish::ImageName;
use veneer::layout::{BLOBS, IMAGES, SCRUB};
use veneer::pull::When;

/// Changes a byte in the middle.
fn damage(path: &Path) {
    let file = fs::OpenOptions::new().read(true).write(true).open(path).expect("open");
    let (at, mut byte) = (file.metadata().expect("size").len() / 2, [0]);
    file.read_exact_at(&mut byte, at).expect("read");
    file.write_all_at(&[!byte[0]], at).expect("written");
}

/// What a scrub writes down.
fn found_damaged(store: &StoreDir, name: &ImageName) {
    fs::create_dir_all(store.at(SCRUB)).expect("made");
    let text = r#"{"root-hash": "ab", "next": 0, "finished": 7, "damaged": "block 1"}"#;
    fs::write(store.at(SCRUB).join(format!("{name}.json")), text).expect("written");
}

fn is_whole(raw: &Path) -> bool {
    Look::at(raw).expect("looked").expect("there").verify().is_ok()
}

fn raw(store: &StoreDir, name: &ImageName) -> PathBuf {
    store.at(IMAGES).join(format!("{name}.raw"))
}

#[test]
fn a_damaged_image_is_made_again_of_its_layers_or_of_the_registrys() {
    let image = image(0);
    let layer = crate::hex(&image.layer);
    let registry = Registry::start(image.answers);
    let Some(crate::Place { root: _root, store }) = place(registry.port) else { return };
    let reference = format!("docker://127.0.0.1:{}/a:1", registry.port);
    run(&store, &spec(&reference, When::Missing), &Silent).expect("pulled");
    let interruption = Interruption::watch("test").expect("watched");
    let name = make(&store, &making(&[&reference]), &interruption).expect("made").image;
    let raw = raw(&store, &name);
    let whole = fs::read(&raw).expect("read");
    assert!(damaged(&store).expect("listed").is_empty());

    for layer_too in [false, true] {
        damage(&raw);
        found_damaged(&store, &name);
        if layer_too {
            damage(&store.at(BLOBS).join(&layer));
        }
        assert!(!is_whole(&raw));
        assert_eq!(damaged(&store).expect("listed"), std::slice::from_ref(&name));
        let done = mend(&store, &name, &Silent, &interruption).expect("made again");
        assert_eq!(done, Mended::Anew(reference.clone()));
        assert!(is_whole(&raw) && fs::read(&raw).expect("read") == whole);
        assert!(damaged(&store).expect("listed").is_empty());
        // One record more would keep the layers of what nobody asked for.
        assert_eq!(veneer::host::store::read(&store).store.records.len(), 1);
    }
    assert_eq!(registry.got(&layer), 2);

    let other = ImageName::parse("sha256-00").expect("a name");
    fs::copy(&raw, raw.with_file_name("sha256-00.raw")).expect("copied");
    found_damaged(&store, &other);
    assert_eq!(mend(&store, &other, &Silent, &interruption).expect("looked at"), Mended::Unknown);
}
