//! One image in all the forms in which it may lie about, and what is wrong with images that are refused.

use crate::builder::Tar;
use crate::collect::Collector;
use crate::forms::{self, Files, entry, gzip};
use std::fs;
use std::path::Path;
use veneer::host::source::open;
use veneer::layer::digest::Digest;
use veneer::layer::entry::Layer;
use veneer::merge::{Boot, MountPoints, Request, merge};
use veneer::oci::document::Platform;
use veneer::oci::layer::Reading;
use veneer::oci::source::Source;

/// What a source comes to: its tree, and its seed.
fn listed(source: &str) -> Result<(String, [u8; 32]), String> {
    listed_for(source, &Platform::parse("amd64").expect("good"))
}

fn listed_for(source: &str, platform: &Platform) -> Result<(String, [u8; 32]), String> {
    let reading = Reading::default();
    let opened = open(&Source::parse(source)?, platform, &reading).map_err(|error| error.to_string())?;
    let layers = opened.layers.iter().map(|layer| &**layer as &dyn Layer).collect();
    let request =
        Request { layers, injected: None, mount_points: MountPoints::Left, boot: Boot::Left, limits: reading.limits };
    let (collected, _) = merge(&request, Collector::default(), &mut || ()).map_err(|error| error.to_string())?;
    Ok((collected.listing(), opened.seed.0))
}

fn layers() -> [Vec<u8>; 2] {
    let base = Tar::new().dir(b"etc").file(b"etc/a", b"1").file(b"etc/b", b"2");
    [base.end(), Tar::new().file(b"etc/.wh.a", b"").file(b"etc/c", b"3").end()]
}

const TREE: &str = "/ dir 755\n/etc dir 755\n/etc/b file 2\n/etc/c file 3\n";

fn config(architecture: &str) -> String {
    forms::config(architecture, &layers(), "")
}

fn image(files: &mut Files, architecture: &str, pack: fn(&[u8]) -> Vec<u8>) -> String {
    files.image(&config(architecture), &layers(), pack)
}

fn named(name: &str) -> String {
    format!(r#","annotations":{{"org.opencontainers.image.ref.name":"{name}"}}"#)
}

fn docker_old() -> Files {
    Files::docker_old(&config("amd64"), &layers())
}

fn docker_new() -> Files {
    let mut files = Files::default();
    let config = config("amd64");
    files.blob(config.as_bytes());
    let blob = |bytes: &[u8]| format!("blobs/sha256/{}", Digest::of(bytes).hex());
    let [base, above] = layers();
    let manifest = format!(
        r#"[{{"Config":"{}","RepoTags":null,"Layers":["{}","{}"]}}]"#,
        blob(config.as_bytes()),
        blob(&base),
        blob(&above)
    );
    files.blob(&base);
    files.blob(&above);
    files.index(&[]).0.push(("manifest.json".into(), manifest.into_bytes()));
    files
}

fn docker_overlay2(root: &Path) -> String {
    let [one, two] = ["a1", "b2"].map(|name| root.join("overlay2").join(name));
    for dir in [&one, &two] {
        fs::create_dir_all(dir.join("diff/etc")).expect("made");
    }
    fs::create_dir_all(root.join("overlay2/l")).expect("made");
    for (dir, name, text) in [(&one, "a", "1"), (&one, "b", "2"), (&two, "c", "3")] {
        fs::write(dir.join("diff/etc").join(name), text).expect("written");
    }
    std::os::unix::fs::symlink("../a1/diff", root.join("overlay2/l/AAA")).expect("linked");
    fs::write(two.join("lower"), "l/AAA").expect("written");
    fs::write(two.join("link"), "BBB").expect("written");
    let whiteout = two.join("diff/etc/a");
    fs::write(&whiteout, "").expect("written");
    rustix::fs::setxattr(&whiteout, "user.overlay.whiteout", b"y", rustix::fs::XattrFlags::empty()).expect("marked");
    two.display().to_string()
}

#[test]
fn one_image_is_the_same_in_all_its_forms() {
    let dir = tempfile::tempdir().expect("a directory");
    let at = |name: &str| dir.path().join(name).display().to_string();
    let mut layout = Files::default();
    let made = image(&mut layout, "amd64", gzip);
    let digest = made[10..81].to_owned();
    layout.index(&[entry(&made, "")]).write(&dir.path().join("oci"));
    layout.archive(&dir.path().join("oci.tar"));
    layout.write(&dir.path().join("containerd/io.containerd.content.v1.content"));
    let mut plain = Files::default();
    let made = image(&mut plain, "amd64", |layer| zstd::encode_all(layer, 1).expect("in memory"));
    plain.index(&[entry(&made, &named("x"))]).write(&dir.path().join("zstd"));
    docker_old().archive(&dir.path().join("old.tar"));
    docker_new().archive(&dir.path().join("new.tar"));
    let forms = [
        format!("oci:{}", at("oci")),
        format!("oci:{}:{digest}", at("oci")),
        format!("oci-archive:{}", at("oci.tar")),
        format!("containerd:{}@{digest}", at("containerd")),
        format!("oci:{}:x", at("zstd")),
        format!("docker-archive:{}", at("old.tar")),
        format!("docker-archive:{}:x", at("old.tar")),
        format!("docker-archive:{}", at("new.tar")),
        format!("oci-archive:{}", at("new.tar")),
    ];
    let seed = listed(&forms[0]).expect("the first form").1;
    for form in forms {
        assert_eq!(listed(&form), Ok((TREE.to_owned(), seed)), "{form}");
    }
    let overlay = listed(&format!("overlay2:{}", docker_overlay2(dir.path()))).expect("docker's directories").0;
    assert_eq!(overlay, TREE);
}

#[test]
fn the_image_for_the_machine_is_chosen_and_others_are_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut files = Files::default();
    let platform = |architecture: &str| format!(r#","platform":{{"os":"linux","architecture":"{architecture}"}}"#);
    let both = [
        entry(&image(&mut files, "amd64", gzip), &platform("amd64")),
        entry(&image(&mut files, "arm64", gzip), &platform("arm64")),
    ];
    let attest = entry(
        &both[0][1..both[0].find(",\"platform").expect("a platform")],
        r#","platform":{"os":"unknown","architecture":"unknown"}"#,
    );
    let nested =
        files.blob(format!(r#"{{"schemaVersion":2,"manifests":[{},{},{attest}]}}"#, both[0], both[1]).as_bytes());
    let alone = image(&mut files, "arm64", gzip);
    files.index(&[entry(&nested, &named("both")), entry(&alone, &named("alone"))]).write(dir.path());
    let source = |name: &str| format!("oci:{}{name}", dir.path().display());
    let arm = Platform::parse("arm64").expect("good");
    assert!(listed(&source(":both")).is_ok());
    assert!(listed_for(&source(":both"), &arm).is_ok());
    assert!(listed_for(&source(":alone"), &arm).is_ok());
    for (name, platform, reason) in [
        ("", "amd64", "several images in it, and none is named: both, alone"),
        (":none", "amd64", "no image \"none\" in it: it has both, alone"),
        (":both", "riscv64", "no image for linux/riscv64 in it: it has linux/amd64, linux/arm64"),
        (":alone", "amd64", "--platform=linux/arm64 takes it"),
    ] {
        let said = listed_for(&source(name), &Platform::parse(platform).expect("good")).expect_err(reason);
        assert!(said.contains(reason), "{said}");
    }
}

/// A layout with one file changed, and what is said of it.
fn refused(change: impl FnOnce(&mut Files), reason: &str) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut files = Files::default();
    let made = image(&mut files, "amd64", gzip);
    files.index(&[entry(&made, "")]);
    change(&mut files);
    files.write(dir.path());
    let said = listed(&format!("oci:{}", dir.path().display())).expect_err(reason);
    assert!(said.contains(reason), "{reason}: {said}");
}

#[test]
fn images_that_lie_or_lack_something_are_refused() {
    let index = |text: &str| {
        let text = text.as_bytes().to_vec();
        move |files: &mut Files| {
            files.0.iter_mut().filter(|(name, _)| name == "index.json").for_each(|(_, bytes)| bytes.clone_from(&text))
        }
    };
    refused(|files| drop(files.0.remove(1)), "is not there");
    refused(|files| drop(files.0.remove(0)), "is not there");
    refused(|files| files.0[1].1.push(0), "the size is wrong: expected");
    refused(|files| files.0[1].1[12] ^= 1, "the digest is wrong: expected sha256:");
    refused(|files| files.0[0].1[12] ^= 1, "the digest is wrong: expected sha256:");
    refused(|files| files.0[3].1[0] ^= 1, "the digest is wrong: expected sha256:");
    refused(index("{"), "index.json: ");
    refused(index("{}"), "neither an index.json with an image nor a manifest.json");
    refused(index(r#"{"manifests":[{"digest":"sha256:../../../etc/passwd","size":1}]}"#), "no digest");
    refused(index(&" ".repeat(5 << 20)), "the limit is 4194304");
    let manifest = |text: &str| {
        let text = text.to_owned();
        move |files: &mut Files| {
            let made = files.blob(text.as_bytes());
            files.0.retain(|(name, _)| name != "index.json");
            files.index(&[entry(&made, "")]);
        }
    };
    let config = format!(r#"{{"digest":"{}","size":2}}"#, Digest::of(b"{}"));
    refused(manifest(r#"{"schemaVersion":1}"#), "another schema than 2");
    refused(manifest(r#"{"schemaVersion":2}"#), "no configuration");
    refused(
        manifest(&format!(r#"{{"schemaVersion":2,"artifactType":"application/x","config":{config},"layers":[]}}"#)),
        "artifact of type application/x",
    );
    refused(
        manifest(&format!(
            r#"{{"schemaVersion":2,"config":{{"mediaType":"application/vnd.cncf.helm.config.v1+json",{}}},"layers":[]}}"#,
            &config[1..config.len() - 1]
        )),
        "artifact of type application/vnd.cncf.helm",
    );
    refused(manifest(r#"{"schemaVersion":2,"manifests":[],"layers":[]}"#), "an index and a manifest in one");
    refused(
        |files| {
            // An index that leads to an index, and so on: none can lead back to itself, as none can have its own digest.
            let last = (0..12)
                .fold(files.blob(b"{}"), |below, _| files.blob(format!(r#"{{"manifests":[{{{below}}}]}}"#).as_bytes()));
            files.0.retain(|(name, _)| name != "index.json");
            files.index(&[entry(&last, "")]);
        },
        "more than 8 indexes",
    );
}

#[test]
fn compressed_archives_of_images_are_refused_and_tars_of_any_kind_taken() {
    let dir = tempfile::tempdir().expect("a directory");
    let at = |name: &str| dir.path().join(name);
    docker_old().archive(&at("old.tar"));
    fs::write(at("old.tar.gz"), gzip(&fs::read(at("old.tar")).expect("read"))).expect("written");
    let said = listed(&format!("docker-archive:{}", at("old.tar.gz").display())).expect_err("compressed");
    assert!(said.contains("gunzip it before"), "{said}");
    let [base, _] = layers();
    for (name, bytes) in [("a", base.clone()), ("b", gzip(&base))] {
        fs::write(at(name), bytes).expect("written");
        let listing = listed(&format!("tar:{}", at(name).display())).expect("a tar").0;
        assert_eq!(listing, "/ dir 755\n/etc dir 755\n/etc/a file 1\n/etc/b file 2\n");
    }
}
