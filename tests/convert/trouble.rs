//! What is left of a conversion that goes wrong: bad sources, sudden death, being told to end, no room.

use crate::builder::Tar;
use crate::images::mounted::{may_mount, run, unmount};
use crate::{ALL, command, convert, forms_of, is_whole, layers, names, said};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// More bytes than fit a pipe or a block, different for each value.
fn large(value: u8) -> Vec<Vec<u8>> {
    let files = (0..40u8).map(|index| (format!("file{index}"), vec![value ^ index; 100_000]));
    vec![files.fold(Tar::new(), |tar, (name, bytes)| tar.file(name.as_bytes(), &bytes)).end()]
}

#[test]
fn what_goes_wrong_is_one_line_and_leaves_nothing() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let [oci, ..] = forms_of(&layers(), dir.path());
    let store = dir.path().join("store");
    fs::create_dir(&store).expect("made");
    let layer =
        fs::read_dir(dir.path().join("oci/blobs/sha256")).expect("list").map(|entry| entry.expect("list").path());
    let largest = layer.max_by_key(|path| fs::metadata(path).expect("stat").len()).expect("a blob");
    let mut bytes = fs::read(&largest).expect("read");
    let digest = largest.file_name().expect("a name").to_string_lossy().into_owned();
    bytes[40] ^= 1;
    fs::write(&largest, bytes).expect("written");
    for (source, output, code, part) in [
        (oci.as_str(), store.join("x"), 65, format!("converting x: layer sha256:{digest}: ")),
        ("oci:/none", store.join("x"), 66, "converting x: oci:/none: there is no such directory".into()),
        ("tar:/dev/null", store.join("x"), 65, "converting x: tar:/dev/null: /dev/null: it is no regular file".into()),
        (oci.as_str(), dir.path().join("none/x"), 1, "converting x: opening the directory ".into()),
    ] {
        let done = command(source, &output, &[]).output().expect("started");
        let text = said(&done);
        assert_eq!(done.status.code(), Some(code), "{text}");
        assert!(text.starts_with("veneer-convert: ") && text.lines().count() == 1, "{text}");
        assert!(text.contains(&part), "{part}: {text}");
    }
    assert_eq!(names(&store), [""; 0]);
}

/// How often the tests below kill.
fn kills() -> u32 {
    std::env::var("CONVERT_KILLS").ok().and_then(|count| count.parse().ok()).unwrap_or(10)
}

/// Moments spread over the time that a run takes, the same in each run of the test.
fn moments(whole: Duration) -> impl Iterator<Item = Duration> {
    (0..kills()).map(move |kill| whole.mul_f64(f64::from(kill * 7919 % 1000) / 900.0))
}

#[test]
fn killed_at_any_moment_an_image_is_whole_or_absent_and_the_next_run_cleans_up() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let sources = [1, 2].map(|value| {
        let dir = dir.path().join(value.to_string());
        fs::create_dir(&dir).expect("made");
        forms_of(&large(value), &dir)[0].clone()
    });
    let store = dir.path().join("store");
    fs::create_dir(&store).expect("made");
    let began = Instant::now();
    convert(&sources[0], &store.join("x"), &[]);
    for (moment, source) in moments(began.elapsed()).zip(sources.iter().cycle().skip(1)) {
        let mut child = command(source, &store.join("x"), &[]).stderr(Stdio::null()).spawn().expect("started");
        std::thread::sleep(moment);
        child.kill().expect("killed");
        child.wait().expect("ended");
        is_whole(&store);
    }
    convert(&sources[0], &store.join("x"), &[]);
    assert!(is_whole(&store));
    assert_eq!(names(&store), ALL);
}

#[test]
fn told_to_end_at_any_moment_it_leaves_what_was_there_or_what_it_made() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let source = forms_of(&large(1), dir.path())[0].clone();
    let store = dir.path().join("store");
    fs::create_dir(&store).expect("made");
    let began = Instant::now();
    convert(&source, &store.join("x"), &[]);
    let mut stopped = 0;
    for (moment, signal) in moments(began.elapsed()).zip([2, 15].into_iter().cycle()) {
        for name in names(&store) {
            fs::remove_file(store.join(name)).expect("removed");
        }
        let child = command(&source, &store.join("x"), &[]).stderr(Stdio::piped()).spawn().expect("started");
        std::thread::sleep(moment + Duration::from_millis(20));
        let pid = rustix::process::Pid::from_child(&child);
        let kind = if signal == 2 { rustix::process::Signal::INT } else { rustix::process::Signal::TERM };
        // It may have ended by itself.
        let _ = rustix::process::kill_process(pid, kind);
        let done = child.wait_with_output().expect("ended");
        let left = names(&store);
        match done.status.code() {
            Some(0) => assert!(left == ALL && is_whole(&store)),
            // On a busy machine the signal may come before anybody has asked for it: then nothing has begun.
            None if done.status.signal() == Some(signal) => assert_eq!(left, [""; 0]),
            code => {
                stopped += 1;
                assert_eq!(code, Some(128 + signal), "{:?} {}", done.status.signal(), said(&done));
                assert_eq!(left, [""; 0]);
                assert!(said(&done).ends_with("nothing is left\n"), "{}", said(&done));
            }
        }
    }
    assert!(stopped > 0);
}

/// Sizes of a disk, all but the last too small: the image has 4 MB, and a hash tree of 36 KB. `CONVERT_ROOMS=20` for more.
fn rooms() -> Vec<u64> {
    match std::env::var("CONVERT_ROOMS").ok().and_then(|count| count.parse::<u64>().ok()) {
        Some(count) => (1..=count).map(|number| number * 4_200_000 / count).chain([6_000_000]).collect(),
        None => vec![400_000, 2_000_000, 3_999_000, 4_020_000, 4_060_000, 6_000_000],
    }
}

#[test]
fn a_full_disk_is_one_error_and_leaves_nothing() {
    if !may_mount() {
        return;
    }
    let dir = tempfile::tempdir().expect("temporary directory");
    let source = forms_of(&large(3), dir.path())[1].clone();
    let mut full = 0;
    for size in rooms() {
        let store = tempfile::tempdir().expect("temporary directory");
        let options = format!("size={size}");
        run("mount", &["-t", "tmpfs", "-o", &options, "tmpfs", store.path().to_str().expect("text")].map(OsStr::new));
        let done = command(&source, &store.path().join("x"), &["--no-mount-points"]).output().expect("started");
        let (left, whole) = (names(store.path()), is_whole(store.path()));
        unmount(store.path());
        if done.status.success() {
            assert!(whole && left == ALL);
            continue;
        }
        full += 1;
        let wanted = format!("converting x: no space left in {}; nothing was written\n", store.path().display());
        assert_eq!(said(&done), format!("veneer-convert: {wanted}"));
        assert_eq!(left, [""; 0]);
    }
    assert!(full >= 4 && full < rooms().len(), "{full}");
}
