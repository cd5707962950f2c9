//! The configuration layer as its users see it: which file counts, how files merge, what is said of mistakes.
//! Nothing here reads the host's own configuration.
//! The format is veneer.app(5)'s.

use veneer::config::{AppState, ConfigText, Dir, DropIns, File, Host, load_app, origins};

const PLAIN: &str = "[image]\ndirectory = \"/opt/x\"\n[service]\nexec = [\"/bin/x\"]\n";

fn app_file(dir: &str, id: &str, text: &str) -> (Box<str>, File) {
    (id.into(), File::new(format!("{dir}/apps.d/{id}.toml"), text))
}

fn dir_with(dir: &str, apps: &[(&str, &str)]) -> Dir {
    Dir { apps: apps.iter().map(|(id, text)| app_file(dir, id, text)).collect(), ..Dir::default() }
}

fn drop_in(dir: &str, id: &str, name: &str, text: &str) -> DropIns {
    let path = format!("{dir}/apps.d/{id}.toml.d");
    let file = File::new(format!("{path}/{name}.toml"), text);
    DropIns { path: path.into(), app: id.into(), files: vec![(name.into(), file)] }
}

/// `KEY = VALUE` of an app, as `veneer why` shows them.
fn values(text: &ConfigText, id: &str) -> Vec<String> {
    let (host, _) = Host::load(text);
    let shown = |origin: veneer::config::Origin| format!("{} = {}", origin.key, origin.value);
    origins(text.app(id).expect("the app is there"), &host).into_iter().map(shown).collect()
}

#[test]
fn a_plain_app_loads() {
    let text = ConfigText::from_dirs(vec![dir_with("/etc/veneer", &[("x", PLAIN)])]);
    let (host, problems) = Host::load(&text);
    assert_eq!(problems, []);
    let loaded = load_app(&text.apps[0], &host).expect("good app");
    assert_eq!(loaded.warnings, []);
    assert_eq!(loaded.app.service.exec[0].as_str(), "/bin/x");
    assert_eq!(loaded.app.source.as_str(), "/etc/veneer/apps.d/x.toml");
}

#[test]
fn the_strongest_directory_wins_and_an_empty_file_masks() {
    let text = ConfigText::from_dirs(vec![
        dir_with("/usr/lib/veneer", &[("a", PLAIN), ("b", PLAIN), ("not an id", "")]),
        dir_with("/etc/veneer", &[("a", "")]),
    ]);
    let states: Vec<_> = text.apps.iter().map(|app| (app.id.as_str(), app.state())).collect();
    assert_eq!(states, [("a", AppState::Masked), ("b", AppState::Configured)]);
    assert_eq!(text.problems, []);
}

#[test]
fn drop_ins_of_all_directories_apply_by_name() {
    let mut vendor = dir_with("/usr/lib/veneer", &[("a", PLAIN)]);
    vendor.drop_ins = vec![
        drop_in("/usr/lib/veneer", "a", "20-x", "[service]\nuser = \"vendor\""),
        drop_in("/usr/lib/veneer", "a", "30-gone", "[service]\nuser = \"gone\""),
        drop_in("/usr/lib/veneer", "nobody", "1", ""),
    ];
    let mut admin = Dir::default();
    admin.drop_ins = vec![
        drop_in("/etc/veneer", "a", "10-x", "[service]\nuser = \"first\"\nstate = true"),
        drop_in("/etc/veneer", "a", "30-gone", ""),
    ];
    let text = ConfigText::from_dirs(vec![vendor, admin]);
    assert_eq!(
        values(&text, "a"),
        [
            "image.directory = \"/opt/x\"",
            "service.exec = [\"/bin/x\"]",
            "service.user = \"vendor\"",
            "service.state = true"
        ]
    );
    let problems: Vec<_> = text.problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "/usr/lib/veneer/apps.d/nobody.toml.d: warning: drop-ins for an app that has no file: there is no apps.d/nobody.toml"
        ]
    );
}
