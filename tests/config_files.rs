//! Reading real directories: links, masks, what cannot be read, and what is not text.
//! Each case has a root of its own; the host's configuration is never read.
//! Precedence itself is tested on pure data in tests/config.rs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use veneer::config::{AppState, Body, Host, load_app};
use veneer::host::config_files::{read, read_file};

const PLAIN: &str = "[image]\ndirectory = \"/opt/x\"\n[service]\nexec = [\"/bin/x\"]\n";

fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    root
}

/// Everything that is said, of names, of the host and of each app.
fn said(root: &Path) -> Vec<String> {
    let text = read(root);
    let (host, problems) = Host::load(&text);
    let mut all = text.problems.clone();
    all.extend(problems);
    for app in text.apps.iter().filter(|app| app.state() == AppState::Configured) {
        all.extend(load_app(app, &host).map_or_else(|problems| problems, |loaded| loaded.warnings));
    }
    all.iter().map(ToString::to_string).collect()
}

#[test]
fn nothing_at_all_is_fine() {
    let empty = root(&[]);
    let text = read(empty.path());
    assert!(text.apps.is_empty() && text.problems.is_empty() && text.settings.is_empty());
    assert!(read(Path::new("/nonexistent")).problems.is_empty());
}

#[test]
fn all_directories_are_read_and_paths_are_shown_without_the_root() {
    let root = root(&[
        ("usr/lib/veneer/apps.d/a.toml", PLAIN),
        ("usr/local/lib/veneer/apps.d/b.toml", PLAIN),
        ("run/veneer/apps.d/c.toml", PLAIN),
        ("etc/veneer/apps.d/a.toml", PLAIN),
        ("etc/veneer/apps.d/notes.txt", "not ours"),
        ("etc/veneer/apps.d/.hidden.toml", "not ours"),
        ("etc/veneer/apps.d/c.toml~", "not ours"),
        ("usr/lib/veneer/apps.d/c.toml.d/10.toml", "service.user = \"x\""),
        ("etc/veneer/apps.d/c.toml.d/05.toml", "service.user = \"y\""),
        ("etc/veneer/apps.d/c.toml.d/README", "not ours"),
        ("etc/veneer/veneer.toml", "[store]\nroots = [\"/srv/images\"]\n"),
        ("run/veneer/veneer.toml.d/10.toml", "policy.require = \"none\"\n"),
        ("etc/veneer/templates.d/web.toml", "[service]\n"),
    ]);
    let text = read(root.path());
    let files: Vec<&str> = text.apps.iter().map(|app| &*app.file.path).collect();
    assert_eq!(
        files,
        ["/etc/veneer/apps.d/a.toml", "/usr/local/lib/veneer/apps.d/b.toml", "/run/veneer/apps.d/c.toml"]
    );
    let drop_ins: Vec<&str> = text.apps[2].drop_ins.iter().map(|file| &*file.path).collect();
    assert_eq!(drop_ins, ["/etc/veneer/apps.d/c.toml.d/05.toml", "/usr/lib/veneer/apps.d/c.toml.d/10.toml"]);
    let settings: Vec<&str> = text.settings.iter().map(|file| &*file.path).collect();
    assert_eq!(settings, ["/etc/veneer/veneer.toml", "/run/veneer/veneer.toml.d/10.toml"]);
    assert_eq!(text.templates.len(), 1);
    assert_eq!(said(root.path()), Vec::<String>::new());
}

#[test]
fn an_empty_file_and_a_link_to_dev_null_mask() {
    let root = root(&[
        ("usr/lib/veneer/apps.d/a.toml", PLAIN),
        ("usr/lib/veneer/apps.d/b.toml", PLAIN),
        ("usr/lib/veneer/apps.d/c.toml", PLAIN),
        ("usr/lib/veneer/apps.d/c.toml.d/10.toml", "nonsense = 1"),
        ("etc/veneer/apps.d/a.toml", ""),
        ("etc/veneer/apps.d/c.toml.d/20.toml", ""),
    ]);
    symlink("/dev/null", root.path().join("etc/veneer/apps.d/b.toml")).unwrap();
    symlink("/dev/null", root.path().join("etc/veneer/apps.d/c.toml.d/10.toml")).unwrap();
    let text = read(root.path());
    let states: Vec<_> = text.apps.iter().map(|app| (app.id.as_str(), app.state())).collect();
    assert_eq!(states, [("a", AppState::Masked), ("b", AppState::Masked), ("c", AppState::Configured)]);
    assert_eq!(said(root.path()), Vec::<String>::new());
}

#[test]
fn what_cannot_be_read_is_its_own_apps_problem() {
    let root = root(&[("etc/veneer/apps.d/good.toml", PLAIN), ("etc/veneer/apps.d/dir.toml/x", "")]);
    let apps = root.path().join("etc/veneer/apps.d");
    std::fs::write(apps.join("latin.toml"), b"[app]\ndescription = \"\xe4\"\n").unwrap();
    std::fs::write(apps.join("large.toml"), "#".repeat((256 << 10) + 1)).unwrap();
    symlink("nowhere", apps.join("dangling.toml")).unwrap();
    symlink("circle.toml", apps.join("circle.toml")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, apps.join("pipe.toml"), 0o600.into()).unwrap();
    std::fs::write(apps.join(std::ffi::OsStr::new("two\nlines.toml")), PLAIN).unwrap();
    assert_eq!(
        said(root.path()),
        [
            "/etc/veneer/apps.d/two\\nlines.toml: an app's id has only letters, digits, '.', '_' and '-', not '\\n'",
            "/etc/veneer/apps.d/circle.toml: the symbolic link goes round in circles",
            "/etc/veneer/apps.d/dangling.toml: the symbolic link leads nowhere",
            "/etc/veneer/apps.d/dir.toml: this is a directory, not a file",
            "/etc/veneer/apps.d/large.toml: the file is larger than 262144 bytes",
            "/etc/veneer/apps.d/latin.toml: the file is not UTF-8 text: byte 22 is wrong",
        ]
    );
    assert_eq!(read(root.path()).app("pipe").unwrap().state(), AppState::Masked);
    assert_eq!(read(root.path()).app("good").unwrap().file.text(), PLAIN);
}

#[test]
fn a_directory_that_cannot_be_read_leaves_the_others() {
    let root = root(&[
        ("etc/veneer/apps.d", "a file"),
        ("usr/lib/veneer/apps.d/a.toml", PLAIN),
        ("run/veneer/apps.d/b.toml", PLAIN),
    ]);
    let closed = root.path().join("run/veneer/apps.d");
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o000)).unwrap();
    let said = said(root.path());
    assert_eq!(said.last().unwrap(), "/etc/veneer/apps.d: this is not a directory");
    if !rustix::process::geteuid().is_root() {
        assert_eq!(said[0], "/run/veneer/apps.d: cannot be read: permission denied");
    }
    assert!(read(root.path()).app("a").is_some());
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_file_named_by_hand_is_shown_as_named() {
    let root = root(&[("hello.toml", PLAIN)]);
    let path = root.path().join("hello.toml");
    let file = read_file(&path);
    assert_eq!((&*file.path, file.text()), (path.to_str().unwrap(), PLAIN));
    assert_eq!(read_file(Path::new("/nonexistent/x.toml")).body, Body::Unreadable("there is no such file".into()));
}

#[test]
fn settings_that_nobody_can_see_ask_for_the_strictest() {
    let image = PLAIN.replace("directory = \"/opt/x\"", "file = \"x\"");
    let root = root(&[("etc/veneer/veneer.toml.d", "a file"), ("usr/lib/veneer/apps.d/a.toml", &image)]);
    assert_eq!(
        said(root.path()),
        [
            "/etc/veneer/veneer.toml.d: this is not a directory",
            "/usr/lib/veneer/apps.d/a.toml:2:8: image.file: the image shows \"verity\", but this host asks for \"signed\" \
             at least (/etc/veneer/veneer.toml.d, which cannot be read)",
        ]
    );
}
