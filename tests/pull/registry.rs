//! Registries of a few lines, on loopback: good ones, and those that do not do what they should.
//! Each path that has a part of a name in it is answered as told; everything else is not found.
//! Form: the OCI distribution specification, as far as skopeo asks for it.

use crate::builder::Tar;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A path, and how it is answered.
pub(crate) type Answers = BTreeMap<String, Answer>;

#[derive(Clone)]
pub(crate) enum Answer {
    Body(&'static str, Vec<u8>),
    Cut(Vec<u8>),
    Status(&'static str),
    Redirect,
    Hang,
}

pub(crate) struct Registry {
    pub(crate) port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Registry {
    pub(crate) fn start(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answers, heard) = (Arc::new(answers), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answers, heard) = (Arc::clone(&answers), Arc::clone(&heard));
                std::thread::spawn(move || serve(stream, &answers, &heard));
            }
        });
        Self { port, asked }
    }

    /// How often a path was got that has this in it.
    pub(crate) fn got(&self, part: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|path| path.contains(part)).count()
    }
}

fn serve(stream: TcpStream, answers: &Answers, heard: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    let (mut first, mut line) = (String::new(), String::new());
    if reader.read_line(&mut first).is_err() {
        return;
    }
    while reader.read_line(&mut line).is_ok_and(|count| count > 2) {
        line.clear();
    }
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    heard.lock().unwrap().push(path.clone());
    let found = answers.iter().find(|(part, _)| path.contains(part.as_str())).map(|(_, answer)| answer.clone());
    let head = |status: &str, more: &str| format!("HTTP/1.1 {status}\r\nConnection: close\r\n{more}\r\n");
    let _ = match found {
        _ if path == "/v2/" => stream.write_all(head("200 OK", "Content-Length: 0\r\n").as_bytes()),
        None => stream.write_all(head("404 Not Found", "Content-Length: 0\r\n").as_bytes()),
        Some(Answer::Status(status)) => stream.write_all(head(status, "Content-Length: 0\r\n").as_bytes()),
        Some(Answer::Redirect) => stream.write_all(
            head("307 Temporary Redirect", &format!("Location: {path}\r\nContent-Length: 0\r\n")).as_bytes(),
        ),
        Some(Answer::Body(kind, body)) => {
            let more = format!("Content-Type: {kind}\r\nContent-Length: {}\r\n", body.len());
            stream.write_all(head("200 OK", &more).as_bytes()).and_then(|()| stream.write_all(&body))
        }
        Some(Answer::Cut(body)) => {
            let more = format!("Content-Length: {}\r\n", body.len());
            stream.write_all(head("200 OK", &more).as_bytes()).and_then(|()| stream.write_all(&body[..body.len() / 2]))
        }
        Some(Answer::Hang) => {
            std::thread::sleep(Duration::from_secs(60));
            Ok(())
        }
    };
}

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// An image of one layer: its documents, and what a good registry answers.
pub(crate) struct Image {
    pub(crate) layer: Vec<u8>,
    pub(crate) manifest: Vec<u8>,
    pub(crate) answers: Answers,
}

pub(crate) fn image(more: i64) -> Image {
    let noise: Vec<u8> = (0_u32..70_000).map(|at| (at.wrapping_mul(at) >> 7) as u8).collect();
    let layer = Tar::new().dir(b"srv").file(b"srv/noise", &noise).end();
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","config":{{"Labels":{{"a":"b"}}}},"rootfs":{{"type":"layers","diff_ids":["sha256:{}"]}}}}"#,
        hex(&layer)
    );
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:{}","size":{}}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha256:{}","size":{}}}]}}"#,
        hex(config.as_bytes()),
        config.len(),
        hex(&layer),
        layer.len() as i64 + more
    )
    .into_bytes();
    let answers = answers(&manifest, &[config.as_bytes(), &layer]);
    Image { layer, manifest, answers }
}

/// What a good registry answers, by tag and by digest.
pub(crate) fn answers(manifest: &[u8], blobs: &[&[u8]]) -> Answers {
    let blob = |bytes: &&[u8]| {
        (format!("blobs/sha256:{}", hex(bytes)), Answer::Body("application/octet-stream", bytes.to_vec()))
    };
    let names = ["manifests/1".to_owned(), format!("manifests/sha256:{}", hex(manifest))];
    let manifests = names.map(|name| (name, Answer::Body(MANIFEST, manifest.to_vec())));
    blobs.iter().map(blob).chain(manifests).collect()
}
