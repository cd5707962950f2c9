//! From bytes to layers and images: what a fuzzer's input stands for, and what must hold whatever it is.
//! The plain model and the collecting writer are those of tests/layers.

#[path = "../../tests/layers/builder.rs"]
pub mod builder;
#[path = "../../tests/layers/collect.rs"]
pub mod collect;
#[path = "../../tests/layers/model.rs"]
pub mod model;

use builder::Tar;
use collect::{Bytes, merged};
use model::{LayerSaid, Model, Said};
use std::collections::BTreeMap;
use std::io;
use veneer::layer::digest::Digest;
use veneer::oci::choose::Wanted;
use veneer::oci::document::Platform;
use veneer::oci::image::{First, find};
use veneer::oci::store::{Store, StoredFile};

/// Any bytes as an archive. Blocks that have POSIX's magic get a right checksum, which no fuzzer finds by itself.
pub fn prove_tar(bytes: &[u8]) {
    let mut bytes = bytes.to_vec();
    for block in bytes.chunks_exact_mut(512).filter(|block| &block[257..262] == b"ustar") {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    if let Ok((collected, _)) = merged(&[Bytes::new(bytes)]) {
        // Looks at every name.
        assert!(collected.listing().starts_with("/ dir "));
    }
}

/// Bytes as a few layers of few names: three bytes say one thing, 0xff begins the next layer.
pub fn prove_merge(bytes: &[u8]) {
    let layers: Vec<LayerSaid> = bytes.split(|byte| *byte == 0xff).take(6).map(layer).collect();
    let mut model = Model::default();
    let wanted = layers.iter().try_for_each(|layer| model.apply(layer)).map(|()| model.listing());
    let archives: Vec<Bytes> = layers.iter().rev().map(|layer| Bytes::new(archive(layer))).collect();
    match (merged(&archives), wanted) {
        (Ok((collected, _)), Ok(wanted)) => assert_eq!(collected.listing(), wanted),
        (Err(_), Err(())) => {}
        (Err(said), Ok(_)) => panic!("only the merge refuses: {said}"),
        (Ok(_), Err(())) => panic!("only the model refuses"),
    }
}

/// A name of up to three parts.
fn path(byte: u8) -> String {
    let part = |bits: u8| ["", "a", "b", "c"][usize::from(bits & 3)];
    let parts: Vec<&str> =
        [part(byte), part(byte >> 2), part(byte >> 4)].into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("/")
}

fn layer(bytes: &[u8]) -> LayerSaid {
    let said = |three: &[u8]| {
        let (name, other) = (path(three[1]), path(three[2]));
        let other_named = if other.is_empty() { "a".to_owned() } else { other.clone() };
        let said = match three[0] % 8 {
            0 | 1 => Said::Dir(if three[2] & 1 == 0 { 0o755 } else { 0o700 }),
            2 | 3 => Said::File(format!("f{}", three[2])),
            4 => Said::Link(["", "/", "../", "./../"][usize::from(three[2] >> 6)].to_owned() + &other_named),
            5 => Said::Hard(other_named),
            6 => Said::Whiteout,
            _ => Said::Opaque,
        };
        let needs_name = !matches!(said, Said::Dir(_) | Said::Opaque);
        (if name.is_empty() && needs_name { "c".to_owned() } else { name }, said)
    };
    bytes.chunks_exact(3).take(40).map(said).collect()
}

/// A layer as an archive.
pub fn archive(layer: &LayerSaid) -> Vec<u8> {
    let below = |path: &str, name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
    let tar = layer.iter().fold(Tar::new(), |tar, (path, said)| {
        let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
        match said {
            Said::Dir(mode) => tar.dir_mode(format!("./{path}").as_bytes(), u64::from(*mode)),
            Said::File(text) => tar.file(path.as_bytes(), text.as_bytes()),
            Said::Link(target) => tar.symlink(path.as_bytes(), target.as_bytes()),
            Said::Hard(target) => tar.hard(path.as_bytes(), target.as_bytes()),
            Said::Whiteout => tar.file(below(dir, &format!(".wh.{name}")).as_bytes(), b""),
            Said::Opaque => tar.file(below(path, ".wh..wh..opq").as_bytes(), b""),
        }
    });
    tar.end()
}

/// Bytes as the documents of a layout, parted by 0xff: the first is the index, the second `docker save`'s manifest.
/// `@N` stands for digest and size of the document N, which comes later: no fuzzer finds a digest by itself.
pub fn prove_manifest(bytes: &[u8]) {
    let mut documents: Vec<Vec<u8>> = bytes.split(|byte| *byte == 0xff).take(9).map(<[u8]>::to_vec).collect();
    for at in (0..documents.len()).rev() {
        let text = String::from_utf8_lossy(&documents[at]).into_owned();
        let filled = (at + 1..documents.len()).fold(text, |text, other| {
            let (digest, size) = (Digest::of(&documents[other]), documents[other].len());
            text.replace(&format!("@{other}"), &format!(r#""digest":"{digest}","size":{size}"#))
        });
        documents[at] = filled.into_bytes();
    }
    let names = ["index.json".to_owned(), "manifest.json".to_owned()].into_iter();
    let blobs = documents.iter().skip(2).map(|bytes| format!("blobs/sha256/{}", Digest::of(bytes).hex()));
    let store = Memory(names.chain(blobs).zip(documents.iter().cloned()).collect());
    for first in [First::Index, First::Docker] {
        let wanted = Wanted { name: None, platform: Platform::of_this_machine() };
        if let Err(error) = find(&store, first, &wanted) {
            assert!(!error.to_string().is_empty(), "refused without a reason");
        }
    }
}

struct Memory(BTreeMap<String, Vec<u8>>);

impl Store for Memory {
    fn open(&self, name: &str) -> io::Result<Option<StoredFile>> {
        let file =
            |bytes: &Vec<u8>| StoredFile { size: bytes.len() as u64, reader: Box::new(io::Cursor::new(bytes.clone())) };
        Ok(self.0.get(name).map(file))
    }
}
