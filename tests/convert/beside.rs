//! What is made of an image besides: a disk image around it, a compressed one.

use super::images::mounted::{Mounted, may_mount, run};
use super::*;
use std::ffi::OsStr;

#[test]
fn a_disk_holds_image_and_hash_tree_and_is_the_same_twice() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let [oci, ..] = forms_of(&layers(), dir.path());
    let (output, disk) = (dir.path().join("x"), dir.path().join("d.raw"));
    let option = format!("--disk={}", disk.display());
    let said = convert(&oci, &output, &[&option]);
    assert!(said.contains("d.raw: "), "{said}");
    let (bytes, image) = (fs::read(&disk).expect("disk"), fs::read(dir.path().join("x.raw")).expect("image"));
    assert!(bytes[1 << 20..].starts_with(&image));
    let behind = (image.len() + (1 << 20)).next_multiple_of(1 << 20);
    assert!(bytes[behind..].starts_with(&fs::read(dir.path().join("x.verity")).expect("tree")));
    assert!(run("sfdisk", &[OsStr::new("--verify"), disk.as_os_str()]).contains("No errors detected"));
    // The image is kept, the disk made again, also over one that is not whole.
    fs::write(&disk, "half").expect("written");
    assert!(convert(&oci, &output, &[&option]).contains("is there already"));
    assert!(fs::read(&disk).expect("disk") == bytes);
    let (exit, said) = veneer(&["disk", &format!("{}.raw", output.display()), &disk.display().to_string()]);
    assert_eq!(exit, Some(0), "{said}");
    assert!(fs::read(&disk).expect("disk") == bytes);
    let mut left = names(dir.path());
    left.retain(|name| name.starts_with('.'));
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn no_disk_is_made_of_an_image_that_is_damaged() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let [oci, ..] = forms_of(&layers(), dir.path());
    let output = dir.path().join("x");
    convert(&oci, &output, &[]);
    let path = dir.path().join("x.raw");
    let mut image = fs::read(&path).expect("image");
    image[5000] ^= 1;
    fs::write(&path, image).expect("written");
    let disk = dir.path().join("d.raw");
    let (exit, said) = veneer(&["disk", &path.display().to_string(), &disk.display().to_string()]);
    assert_eq!(exit, Some(65), "{said}");
    assert!(said.contains("x.raw is damaged in block 1"), "{said}");
    assert!(!disk.exists());
}

#[test]
fn a_compressed_image_is_the_same_tree_and_records_its_maker_or_says_what_is_missing() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let [oci, archive, _] = forms_of(&layers(), dir.path());
    let options = ["--compress=lz4hc,9", "--no-mount-points"];
    let done = command(&oci, &dir.path().join("x"), &options).output().expect("started");
    if done.status.code() == Some(69) {
        // Debian 12 has 1.5.
        assert!(said(&done).contains("mkfs.erofs 1.8 or later, package erofs-utils"), "{}", said(&done));
        assert!(names(dir.path()).iter().all(|name| !name.contains("x.")), "{:?}", names(dir.path()));
        return;
    }
    assert!(done.status.success() && is_whole(dir.path()), "{}", said(&done));
    convert(&archive, &dir.path().join("y"), &options);
    assert_eq!(root_hash(&dir.path().join("x")), root_hash(&dir.path().join("y")));
    let manifest: Manifest =
        serde_json::from_slice(&fs::read(dir.path().join("x.manifest.json")).expect("manifest")).expect("manifest");
    assert_eq!(manifest.recipe.options["compress"], "lz4hc,9");
    assert!(manifest.recipe.options["mkfs.erofs"].starts_with("1."));
    assert!(convert(&oci, &dir.path().join("x"), &options).contains("is there already"));
    run("fsck.erofs", &[dir.path().join("x.raw").as_os_str()]);
    if may_mount() {
        let mounted = Mounted::new("erofs", &dir.path().join("x.raw"), "ro");
        let mut found = String::new();
        listing(mounted.path(), "", &mut found);
        assert_eq!(found, TREE);
    }
}
