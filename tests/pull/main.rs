//! `veneer-pull` against registries that do not do what they should, and skopeo as the host has it.
//! Each registry is a few lines (`registry`), on loopback; what is in the store afterwards is looked at.
//! Where skopeo is not installed these tests say so and do nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod artifact;
#[path = "../layers/builder.rs"]
#[allow(dead_code, unreachable_pub, reason = "more is in it than is needed here")]
mod builder;
mod mend;
mod registry;

use registry::{Answer, Answers, INDEX, MANIFEST, Registry, hex, image};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};
use veneer::app::Pull;
use veneer::host::interruption::Interruption;
use veneer::host::pull::{Listener, Outcome, run};
use veneer::host::store::{StoreDir, read};
use veneer::host::version::make;
use veneer::oci::document::Platform;
use veneer::origin::Origin;
use veneer::pull::{Spec, When};
use veneer::sysexits::Exit;
use veneer::verity::Fault;
use veneer::version::{Arguments, Make, Verb};

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

/// `veneer-version make`, as a unit calls it.
fn making(words: &[&str]) -> Make {
    let all = ["veneer-version", "make", "--platform=linux/amd64"].iter().chain(words);
    match <Arguments as clap::Parser>::parse_from(all).verb {
        Verb::Make(make) => *make,
        other => panic!("{other:?}"),
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
fn an_image_is_fetched_and_made_once_whoever_asks() {
    let registry = Registry::start(image(0).answers);
    let Some(Place { root: _root, store }) = place(registry.port) else { return };
    let reference = format!("docker://127.0.0.1:{}/a:1", registry.port);
    let spec = spec(&reference, When::Missing);
    let (pulled, made) = std::thread::scope(|scope| {
        let one = || {
            let outcome = run(&store, &spec, &Silent).expect("pulled");
            let interruption = Interruption::watch("test").expect("watched");
            let made = make(&store, &making(&[&reference]), &interruption).expect("made");
            (matches!(outcome, Outcome::Pulled(_)), !made.kept)
        };
        let runs: Vec<_> = (0..10).map(|_| scope.spawn(one)).collect();
        let done: Vec<_> = runs.into_iter().map(|run| run.join().unwrap()).collect();
        (done.iter().filter(|(pulled, _)| *pulled).count(), done.iter().filter(|(_, made)| *made).count())
    });
    assert_eq!((pulled, made), (1, 1));
    assert_eq!(registry.got("manifests/1"), 1);
    assert_eq!(registry.got(&hex(&image(0).layer)), 1);
    let found = read(&store);
    assert!(found.store.odd_blobs.is_empty() && found.store.blobs.len() == 3 && found.store.images.len() == 1);
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
