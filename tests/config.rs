//! The configuration layer as its users see it: which file counts, how files merge, what is said of mistakes.
//! Nothing here reads the host's own configuration.
//! The format is veneer.app(5)'s.
#![allow(clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use veneer::config::keys::APP as KEYS;
use veneer::config::{AppState, AppText, ConfigText, Dir, DropIns, File, Host, cross_check, load_app, origins};
use veneer::problem::Problem;

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
    let drop_ins = vec![
        drop_in("/etc/veneer", "a", "10-x", "[service]\nuser = \"first\"\nstate = true"),
        drop_in("/etc/veneer", "a", "30-gone", ""),
    ];
    let admin = Dir { drop_ins, ..Dir::default() };
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

#[test]
fn a_drop_in_merges_tables_replaces_the_rest_and_resets_by_name() {
    let mut dir = dir_with(
        "/etc/veneer",
        &[(
            "a",
            "[image]\nfile = \"/x.raw\"\n[service]\nexec = [\"/bin/x\", \"1\"]\nlisten = [\"80\"]\nenvironment = { A = \"1\", B = 2 }\n",
        )],
    );
    let reset = "reset = [\"image.file\", \"service.environment.B\", \"service.listen\"]\n";
    let over = "image.directory = \"/opt/x\"\n[service]\nexec = [\"/bin/y\"]\nenvironment.C = true\n";
    dir.drop_ins = vec![drop_in("/etc/veneer", "a", "10", &format!("{reset}{over}"))];
    assert_eq!(
        values(&ConfigText::from_dirs(vec![dir]), "a"),
        [
            "image.directory = \"/opt/x\"",
            "service.exec = [\"/bin/y\"]",
            "service.environment.A = \"1\"",
            "service.environment.C = true"
        ]
    );
}

#[test]
fn templates_lie_below_the_app_and_below_one_another() {
    let mut dir = dir_with("/etc/veneer", &[("a", "[app]\nextends = \"web\"\n[service]\nuser = \"app\"\n")]);
    let template =
        |name: &str, text: &str| (name.into(), File::new(format!("/etc/veneer/templates.d/{name}.toml"), text));
    dir.templates = vec![
        template("web", "[app]\nextends = \"base\"\n[service]\nuser = \"web\"\ntype = \"notify\"\n"),
        template(
            "base",
            "[image]\ndirectory = \"/opt/x\"\n[service]\nexec = [\"/bin/x\"]\ntype = \"oneshot\"\nuser = \"base\"\n",
        ),
    ];
    let text = ConfigText::from_dirs(vec![dir]);
    assert_eq!(
        values(&text, "a"),
        [
            "image.directory = \"/opt/x\"",
            "service.exec = [\"/bin/x\"]",
            "service.type = \"notify\"",
            "service.user = \"app\"",
            "app.extends = \"web\""
        ]
    );
    let (host, _) = Host::load(&text);
    let at: Vec<_> = origins(&text.apps[0], &host).iter().map(|o| format!("{}:{}", o.file, o.place.line)).collect();
    assert_eq!(at[2..4], ["/etc/veneer/templates.d/web.toml:5", "/etc/veneer/apps.d/a.toml:4"]);
}

#[test]
fn a_template_is_chosen_by_the_last_word_of_the_app() {
    let mut dir = dir_with("/etc/veneer", &[("a", "[app]\nextends = \"one\"\n[service]\nexec = [\"/bin/x\"]\n")]);
    let template = |name: &str| {
        let text = format!("[image]\ndirectory = \"/opt/{name}\"\n");
        (name.into(), File::new(format!("/etc/veneer/templates.d/{name}.toml"), text))
    };
    dir.templates = vec![template("one"), template("two")];
    dir.drop_ins = vec![drop_in("/etc/veneer", "a", "10", "[app]\nextends = \"two\"\n")];
    let text = ConfigText::from_dirs(vec![dir]);
    assert!(values(&text, "a").contains(&"image.directory = \"/opt/two\"".to_owned()));
}

#[test]
fn settings_merge_by_strength_and_give_the_store_roots() {
    let dirs = ["/usr/lib/veneer", "/etc/veneer"].map(|dir| {
        let settings = format!("[store]\nroots = [\"{dir}/images\"]\n[policy]\nrequire = \"verity\"\n");
        let drop_in = ("10".into(), File::new(format!("{dir}/veneer.toml.d/10.toml"), "policy.require = \"none\"\n"));
        Dir {
            settings: Some(File::new(format!("{dir}/veneer.toml"), settings)),
            settings_drop_ins: vec![drop_in],
            ..Dir::default()
        }
    });
    let text = ConfigText::from_dirs(dirs.into());
    let (host, problems) = Host::load(&text);
    assert_eq!(problems, []);
    assert_eq!(host.settings.least_trust, 0);
    assert_eq!(host.settings.roots.iter().map(ToString::to_string).collect::<Vec<_>>(), ["/etc/veneer/images"]);
}

#[test]
fn every_key_reaches_the_model() {
    let full = include_str!("full.toml");
    let text = ConfigText::from_dirs(vec![dir_with("/etc/veneer", &[("db", PLAIN), ("full", full)])]);
    let (host, _) = Host::load(&text);
    let loaded = load_app(text.app("full").expect("full"), &host).expect("good app");
    assert_eq!(loaded.warnings, []);
    let shown = format!("{:#?}\n", loaded.app);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/full.txt"), &shown).expect("written");
    }
    assert_eq!(shown, include_str!("full.txt"), "BLESS=1 writes tests/full.txt anew");
}

#[test]
fn apps_that_wait_for_one_another_or_share_an_address_are_warned_of() {
    let app = |rest: &str| format!("{PLAIN}{rest}\n");
    let texts = [
        ("a", app("after = [\"b\"]")),
        ("b", app("requires = [\"c\"]\nlisten = [\"80\"]")),
        ("c", app("after = [\"b\", \"d\"]\nlisten = [\"udp:80\"]")),
        ("d", app("listen = [80]")),
    ];
    let texts: Vec<(&str, &str)> = texts.iter().map(|(id, text)| (*id, text.as_str())).collect();
    let text = ConfigText::from_dirs(vec![dir_with("/etc/veneer", &texts)]);
    let (host, _) = Host::load(&text);
    let apps: Vec<_> = text.apps.iter().map(|app| load_app(app, &host).expect("good app").app).collect();
    let said: Vec<_> = cross_check(&apps).iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "/etc/veneer/apps.d/b.toml: warning: service.after: apps wait for one another, and systemd will drop one of them: b -> c -> b",
            "/etc/veneer/apps.d/d.toml: warning: service.listen: the app b listens on \"80\" as well: only one of them can start",
        ]
    );
}

#[test]
fn a_file_that_stands_alone_has_its_id_from_its_name() {
    let text = ConfigText::default();
    let (host, _) = Host::load(&text);
    let app = AppText::alone(File::new("some/where/hello.toml", PLAIN)).expect("a good name");
    let app = load_app(&app, &host).expect("good app").app;
    assert_eq!((app.id.as_str(), app.source.as_str()), ("hello", "/etc/veneer/apps.d/hello.toml"));
    assert!(AppText::alone(File::new("some/where/not good.toml", PLAIN)).is_err());
}

/// A value of each kind that TOML has, and pieces of our own files, put together at random.
fn pieces() -> impl Strategy<Value = String> {
    let words: Vec<&str> = KEYS.iter().flat_map(|section| section.keys.iter().copied().chain([section.name])).collect();
    let piece = prop_oneof![
        3 => proptest::sample::select(words).prop_map(str::to_owned),
        3 => proptest::sample::select(vec![
            "[", "]", "[[", "]]", "{", "}", "=", "\n", "\n", " ", ".", ",", "\"", "\"", "'", "\\", "#", "\0", "true", "1", "2.5",
            "1979-05-27", "\"/x\"", "[\"/x\"]", "= \"none\"\n", "reset = [", "ü", "\r\n", "\"\"\"", "0x1", "inf", "\t",
        ]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 500 } else { 100_000 }))]

    #[test]
    fn no_text_panics_or_gives_two_lines(main in pieces(), over in pieces(), template in pieces(), settings in pieces()) {
        let mut dir = dir_with("/etc/veneer", &[("a", &main)]);
        dir.drop_ins = vec![drop_in("/etc/veneer", "a", "10", &over)];
        dir.templates = vec![("web".into(), File::new("/etc/veneer/templates.d/web.toml", template))];
        dir.settings = Some(File::new("/etc/veneer/veneer.toml", settings));
        let text = ConfigText::from_dirs(vec![dir]);
        let (host, problems) = Host::load(&text);
        for problem in load_app(&text.apps[0], &host).map_or_else(|problems| problems, |loaded| loaded.warnings) {
            prop_assert!(!problem.to_string().contains('\n'), "{problem}");
        }
        for problem in problems {
            prop_assert!(!problem.to_string().contains('\n'), "{problem}");
        }
        origins(&text.apps[0], &host);
    }
}

#[test]
fn every_key_of_the_table_is_read() {
    // A date fits no key of ours, so each one that is read says so.
    let wrong = "1979-05-27";
    for section in KEYS.iter().filter(|section| !section.name.starts_with("inject")) {
        let keys = if section.keys.is_empty() { &["X"] } else { section.keys };
        for key in keys.iter().filter(|key| **key != "inject") {
            let text = match section.name {
                "" => format!("{key} = {wrong}\n"),
                "service.bind" => format!("[[service.bind]]\n{key} = {wrong}\n"),
                name => format!("[{name}]\n{key} = {wrong}\n"),
            };
            let text = ConfigText::from_dirs(vec![dir_with("/etc/veneer", &[("a", &text)])]);
            let problems = load_app(&text.apps[0], &Host::load(&text).0).expect_err("a date");
            let full = if section.name.is_empty() { (*key).to_owned() } else { format!("{}.{key}", section.name) };
            let said = |problem: &Problem| problem.key == full && (problem.text.contains("date") || *key == "oci");
            assert!(problems.iter().any(said), "{full} is not read: {problems:?}");
        }
    }
}

#[test]
fn a_file_full_of_mistakes_is_cut_short() {
    let many: String = (0..20_000).map(|number| format!("x{number} = 1\n")).collect();
    let text = ConfigText::from_dirs(vec![dir_with("/etc/veneer", &[("a", &format!("{many}{PLAIN}"))])]);
    let problems = load_app(&text.apps[0], &Host::load(&text).0).expect_err("mistakes");
    assert_eq!(problems.len(), 101);
    assert_eq!(problems[100].to_string(), "/etc/veneer/apps.d/a.toml: and 19900 more");
}

#[test]
fn values_are_shown_in_toml() {
    let text = ConfigText::from_dirs(vec![dir_with(
        "/etc/veneer",
        &[("a", "a = \"q\\\"\\\\\\u0001\\n\"\nb = [{ c = 0x10 }, 1.5]\n")],
    )]);
    assert_eq!(values(&text, "a"), ["a = \"q\\\"\\\\\\u0001\\n\"", "b = [{c = 16}, 1.5]"]);
}
