//! `veneer-pull` against registries that do not do what they should, and skopeo as the host has it.
//! Each registry is a few lines here, on loopback; what is in the store afterwards is looked at.
//! Where skopeo is not installed these tests say so and do nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use veneer::app::Pull;
use veneer::host::pull::{Listener, Outcome, run};
use veneer::host::store::{StoreDir, read};
use veneer::oci::document::Platform;
use veneer::origin::Origin;
use veneer::pull::{Spec, When};
use veneer::sysexits::Exit;
use veneer::verity::Fault;

/// A path, and how it is answered.
type Answers = BTreeMap<String, Answer>;

#[derive(Clone)]
enum Answer {
    Body(&'static str, Vec<u8>),
    Cut(Vec<u8>),
    Status(&'static str),
    Redirect,
    Hang,
}

struct Registry {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Registry {
    fn start(answers: Answers) -> Self {
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
    fn got(&self, part: &str) -> usize {
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

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// An image of one layer: its documents, and what a good registry answers.
struct Image {
    layer: Vec<u8>,
    manifest: Vec<u8>,
    answers: Answers,
}

fn image(more: i64) -> Image {
    let layer: Vec<u8> = [vec![b'x'; 512 * 20], vec![0; 1024]].concat();
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
    let blob = |bytes: &[u8]| {
        (format!("blobs/sha256:{}", hex(bytes)), Answer::Body("application/octet-stream", bytes.to_vec()))
    };
    let answers = Answers::from([
        blob(config.as_bytes()),
        blob(&layer),
        ("manifests/1".into(), Answer::Body(MANIFEST, manifest.clone())),
    ]);
    Image { layer, manifest, answers }
}

struct Silent;

impl Listener for Silent {
    fn hear(&self, _: &str) {}
}

struct Place {
    root: tempfile::TempDir,
    store: StoreDir,
}

fn place(port: u16) -> Option<Place> {
    if std::process::Command::new("skopeo").arg("--version").output().is_err() {
        eprintln!("skopeo is not installed: nothing was tested");
        return None;
    }
    let root = tempfile::tempdir().unwrap();
    let etc = root.path().join("etc/veneer");
    fs::create_dir_all(&etc).unwrap();
    fs::write(etc.join("policy.json"), r#"{"default":[{"type":"insecureAcceptAnything"}]}"#).unwrap();
    fs::write(etc.join("registries.conf"), format!("[[registry]]\nlocation = \"127.0.0.1:{port}\"\ninsecure = true\n"))
        .unwrap();
    Some(Place { store: StoreDir::below(root.path()), root })
}

fn spec(reference: &str, when: When) -> Spec {
    Spec {
        origin: Origin::parse(reference).unwrap(),
        when,
        files: Pull::default(),
        platform: Platform::parse("linux/amd64").unwrap(),
        retries: 0,
        patience: Duration::from_secs(4),
    }
}

/// Nothing that anybody would take for an image.
fn nothing_left(root: &Path, store: &StoreDir) {
    let found = read(store);
    assert!(found.problems.is_empty() && found.store.records.is_empty() && found.store.images.is_empty());
    assert!(found.store.odd_blobs.is_empty(), "{:?}", found.store.odd_blobs);
    for blob in &found.store.blobs {
        let bytes = fs::read(root.join("var/lib/veneer/blobs/sha256").join(&blob.hex)).unwrap();
        assert_eq!(hex(&bytes), blob.hex, "a blob is not whole");
    }
}

/// Pulls from a registry that answers so; its sentence and code.
fn refused(answers: Answers, name: &str) -> (String, Exit) {
    let registry = Registry::start(answers);
    let Some(Place { root, store }) = place(registry.port) else { return (String::new(), Exit::Success) };
    let began = Instant::now();
    let error = run(&store, &spec(&format!("docker://127.0.0.1:{}/{name}", registry.port), When::Missing), &Silent)
        .expect_err("a registry like this gives no image");
    assert!(began.elapsed() < Duration::from_secs(50), "it took {:?}", began.elapsed());
    nothing_left(root.path(), &store);
    let fault = Fault::of(&error).cloned();
    (format!("{error:#}"), fault.map_or(Exit::Failure, |fault| fault.exit))
}

fn check(answers: Answers, name: &str, said: &str, exit: Exit) {
    let (sentence, code) = refused(answers, name);
    assert!(sentence.is_empty() || sentence.contains(said) && code == exit, "{code:?} {sentence}");
}

#[test]
fn an_image_is_fetched_once_whoever_asks() {
    let registry = Registry::start(image(0).answers);
    let Some(Place { root: _root, store }) = place(registry.port) else { return };
    let spec = spec(&format!("docker://127.0.0.1:{}/a:1", registry.port), When::Missing);
    let pulled = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..10).map(|_| scope.spawn(|| run(&store, &spec, &Silent).expect("pulled"))).collect();
        runs.into_iter().map(|run| run.join().unwrap()).filter(|outcome| matches!(outcome, Outcome::Pulled(_))).count()
    });
    assert_eq!(pulled, 1);
    assert_eq!(registry.got("manifests/1"), 1);
    assert_eq!(registry.got(&hex(&image(0).layer)), 1);
    let found = read(&store);
    assert!(found.store.odd_blobs.is_empty() && found.store.blobs.len() == 3);
    assert_eq!(found.store.records[0].labels.get("a").map(String::as_str), Some("b"));
}

#[test]
fn a_pull_that_was_broken_off_goes_on_with_what_is_missing() {
    let image = image(0);
    let registry = Registry::start(image.answers);
    let Some(Place { root, store }) = place(registry.port) else { return };
    let blobs = root.path().join("var/lib/veneer/blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    fs::write(blobs.join(hex(&image.layer)), &image.layer).unwrap();
    run(&store, &spec(&format!("docker://127.0.0.1:{}/a:1", registry.port), When::Missing), &Silent).expect("pulled");
    assert_eq!(registry.got(&hex(&image.layer)), 0);
}

#[test]
fn a_damaged_blob_is_fetched_again_when_asked() {
    let image = image(0);
    let registry = Registry::start(image.answers);
    let Some(Place { root, store }) = place(registry.port) else { return };
    let reference = format!("docker://127.0.0.1:{}/a:1", registry.port);
    run(&store, &spec(&reference, When::Missing), &Silent).expect("pulled");
    let blob = root.path().join("var/lib/veneer/blobs/sha256").join(hex(&image.layer));
    fs::write(&blob, "rot").unwrap();
    run(&store, &spec(&reference, When::Always), &Silent).expect("pulled again");
    assert_eq!(fs::read(&blob).unwrap(), image.layer);
}

#[test]
fn registries_that_refuse_are_told_apart() {
    let with = |status| Answers::from([("manifests/".into(), Answer::Status(status))]);
    check(with("401 Unauthorized"), "a:1", "(401)", Exit::NoPermission);
    check(with("404 Not Found"), "a:1", "no such image (404)", Exit::NoInput);
    check(with("429 Too Many Requests"), "a:1", "(429)", Exit::TempFail);
    check(with("500 Internal Server Error"), "a:1", "(5xx)", Exit::Unavailable);
}

#[test]
fn registries_that_hang_or_redirect_in_circles_are_left() {
    check(Answers::from([("manifests/".into(), Answer::Hang)]), "a:1", "sent nothing for 4 s", Exit::Unavailable);
    check(Answers::from([("manifests/".into(), Answer::Redirect)]), "a:1", "in circles", Exit::Unavailable);
}

#[test]
fn what_is_not_what_it_says_is_refused() {
    let (good, layer) = (image(0), format!("blobs/sha256:{}", hex(&image(0).layer)));
    let wrong = format!("a@sha256:{}", "0".repeat(64));
    let by_digest = Answers::from([("manifests/".into(), Answer::Body(MANIFEST, good.manifest.clone()))]);
    check(by_digest, &wrong, "not what its digest says", Exit::Data);
    let mut other = good.answers.clone();
    other.insert(layer.clone(), Answer::Body("application/octet-stream", vec![b'y'; good.layer.len()]));
    check(other, "a:1", "not what its digest says", Exit::Data);
    let mut cut = good.answers.clone();
    cut.insert(layer, Answer::Cut(good.layer.clone()));
    check(cut, "a:1", "broke off", Exit::Unavailable);
    check(image(7).answers, "a:1", "", Exit::Data);
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{{"mediaType":"{MANIFEST}","digest":"sha256:{}","size":{},"platform":{{"os":"linux","architecture":"s390x"}}}}]}}"#,
        hex(&good.manifest),
        good.manifest.len()
    );
    let foreign = Answers::from([("manifests/1".into(), Answer::Body(INDEX, index.into_bytes()))]);
    check(foreign, "a:1", "no image for this machine", Exit::Data);
}
