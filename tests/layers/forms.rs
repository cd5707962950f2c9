//! The forms in which one image may lie about: a layout, an archive, what `docker save` wrote.

use crate::builder::Tar;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use veneer::layer::digest::Digest;

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("in memory")
}

/// An image's configuration; `more` goes into it.
pub fn config(architecture: &str, layers: &[Vec<u8>], more: &str) -> String {
    let diff_ids: Vec<_> = layers.iter().map(|layer| format!("{:?}", Digest::of(layer).as_str())).collect();
    let diff_ids = diff_ids.join(",");
    format!(
        r#"{{"os":"linux","architecture":"{architecture}",{more}"rootfs":{{"type":"layers","diff_ids":[{diff_ids}]}}}}"#
    )
}

/// A layout as a list of files.
#[derive(Clone, Default)]
pub struct Files(pub Vec<(String, Vec<u8>)>);

impl Files {
    pub fn blob(&mut self, bytes: &[u8]) -> String {
        let digest = Digest::of(bytes);
        self.0.push((format!("blobs/sha256/{}", digest.hex()), bytes.to_vec()));
        format!(r#""digest":"{digest}","size":{}"#, bytes.len())
    }

    /// A manifest; what its config is, and what becomes of its layers.
    pub fn image(&mut self, config: &str, layers: &[Vec<u8>], pack: fn(&[u8]) -> Vec<u8>) -> String {
        let config = self.blob(config.as_bytes());
        let kind = "application/vnd.oci.image.layer.v1.tar+gzip";
        let mut layer = |layer: &Vec<u8>| format!(r#"{{"mediaType":"{kind}",{}}}"#, self.blob(&pack(layer)));
        let layers = layers.iter().map(&mut layer).collect::<Vec<_>>().join(",");
        self.blob(format!(r#"{{"schemaVersion":2,"config":{{"mediaType":"application/vnd.oci.image.config.v1+json",{config}}},"layers":[{layers}]}}"#).as_bytes())
    }

    pub fn index(&mut self, entries: &[String]) -> &mut Self {
        let entries = entries.join(",");
        self.0.push(("index.json".into(), format!(r#"{{"schemaVersion":2,"manifests":[{entries}]}}"#).into_bytes()));
        self.0.push(("oci-layout".into(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()));
        self
    }

    /// What `docker save` wrote before version 25: the lowest layer first.
    pub fn docker_old(config: &str, layers: &[Vec<u8>]) -> Self {
        let name = format!("{}.json", Digest::of(config.as_bytes()).hex());
        let names: Vec<String> = (1..=layers.len()).map(|number| format!("{number}/layer.tar")).collect();
        let list = names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(",");
        let manifest = format!(r#"[{{"Config":"{name}","RepoTags":["x:latest"],"Layers":[{list}]}}]"#);
        let mut files = Self(names.into_iter().zip(layers.iter().cloned()).collect());
        files.0.push((name, config.as_bytes().to_vec()));
        files.0.push(("manifest.json".into(), manifest.into_bytes()));
        files
    }

    pub fn write(&self, dir: &Path) {
        for (name, bytes) in &self.0 {
            let path = dir.join(name);
            fs::create_dir_all(path.parent().expect("a parent"))
                .and_then(|()| fs::write(path, bytes))
                .expect("written");
        }
    }

    pub fn archive(&self, path: &Path) {
        let tar = self.0.iter().fold(Tar::new(), |tar, (name, bytes)| tar.file(name.as_bytes(), bytes));
        fs::write(path, tar.end()).expect("written");
    }
}

pub fn entry(descriptor: &str, more: &str) -> String {
    format!("{{{descriptor}{more}}}")
}
