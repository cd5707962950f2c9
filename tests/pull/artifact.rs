//! Images that somebody else has made, pulled as they are: nothing is converted, and the very bytes come back.

use crate::registry::{Registry, answers};
use crate::{Silent, making, place, spec};
use std::fs;
use veneer::host::image_look::Look;
use veneer::host::interruption::Interruption;
use veneer::host::pull::run;
use veneer::host::version::make;
use veneer::image::identity::Uuid;
use veneer::image::publish::Part;
use veneer::layer::digest::Digest;
use veneer::layout::IMAGES;
use veneer::pull::When;
use veneer::store::artifact::{EMPTY_CONFIG, Piece, manifest};
use veneer::verity::build::{BLOCK, Leaves};

/// An image's files: its bytes, its hash tree, its root hash, and something that stands for a signature.
fn files() -> Vec<(Part, Vec<u8>)> {
    let data: Vec<u8> = (0..200 * BLOCK).map(|at| (at / 11) as u8).collect();
    let mut raw = tempfile::tempfile().expect("a file");
    std::io::Write::write_all(&mut raw, &data).expect("written");
    let built = Leaves::read([1; 32], &raw, 200, 1).expect("leaves").build(Uuid([2; 16])).expect("a tree");
    let root = built.root.to_string().into_bytes();
    vec![(Part::Raw, data), (Part::Tree, built.file), (Part::RootHash, root), (Part::Signature, b"signed".to_vec())]
}

#[test]
fn what_was_pushed_is_taken_in_as_it_is_once() {
    let files = files();
    let piece =
        |(part, bytes): &(Part, Vec<u8>)| Piece { part: *part, digest: Digest::of(bytes), size: bytes.len() as u64 };
    let pieces: Vec<Piece> = files.iter().map(piece).collect();
    let text = manifest(&pieces, "hello", "ab").to_string().into_bytes();
    let blobs: Vec<&[u8]> = files.iter().map(|(_, bytes)| bytes.as_slice()).chain([EMPTY_CONFIG]).collect();
    let registry = Registry::start(answers(&text, &blobs));
    let Some(crate::Place { root: _root, store }) = place(registry.port) else { return };
    let reference = format!("docker://127.0.0.1:{}/a:1", registry.port);
    run(&store, &spec(&reference, When::Missing), &Silent).expect("pulled");
    let interruption = Interruption::watch("test").expect("watched");

    let injecting = making(&[&reference, "--inject=/etc/hostname:/etc/x"]);
    let error = make(&store, &injecting, &interruption).expect_err("refused");
    assert!(format!("{error:#}").contains("nothing can be put into it"), "{error:#}");

    let making = making(&[&reference, "--app=web"]);
    let made = make(&store, &making, &interruption).expect("made");
    assert_eq!((made.kept, made.image.to_string()), (false, format!("sha256-{}", Digest::of(&text).hex())));
    for (part, bytes) in &files {
        assert_eq!(fs::read(store.at(IMAGES).join(made.image.of(*part))).expect("read"), *bytes, "{part:?}");
    }
    let current = store.at("/var/lib/veneer/apps/web/current");
    Look::at(&current.canonicalize().expect("a link")).expect("looked").expect("there").verify().expect("whole");
    assert!(make(&store, &making, &interruption).expect("there").kept);
    assert_eq!(registry.got("manifests/1"), 1);
}
