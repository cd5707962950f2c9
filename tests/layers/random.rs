//! Random layers: the merge says what the model says.
//! `VENEER_CASES=100000 cargo test --release --test layers random` runs more of them.

use crate::builder::Tar;
use crate::collect::{Bytes, merged};
use crate::model::{LayerSaid, Model, Said};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

fn path() -> impl Strategy<Value = String> {
    // Few names, so that they meet.
    proptest::collection::vec(prop::sample::select(vec!["a", "b", "c"]), 1..4).prop_map(|names| names.join("/"))
}

fn target() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => path(),
        2 => path().prop_map(|path| format!("../{path}")),
        2 => path().prop_map(|path| format!("/{path}")),
        1 => path().prop_map(|path| format!("./{path}/..")),
        1 => Just("..".to_owned()),
    ]
}

fn said() -> impl Strategy<Value = (String, Said)> {
    let file = "[a-z]{1,8}";
    prop_oneof![
        6 => (path(), prop::sample::select(vec![0o755u32, 0o700, 0o1777])).prop_map(|(path, mode)| (path, Said::Dir(mode))),
        6 => (path(), file).prop_map(|(path, text)| (path, Said::File(text))),
        3 => (path(), target()).prop_map(|(path, target)| (path, Said::Link(target))),
        3 => (path(), path()).prop_map(|(path, target)| (path, Said::Hard(target))),
        3 => path().prop_map(|path| (path, Said::Whiteout)),
        1 => path().prop_map(|path| (path, Said::Opaque)),
        1 => Just((String::new(), Said::Dir(0o711))),
        1 => Just((String::new(), Said::Opaque)),
    ]
}

/// Leaves out what the model refuses: random names meet too seldom otherwise.
fn sensible(layers: Vec<LayerSaid>) -> Vec<LayerSaid> {
    let mut below = Model::default();
    let keep = |layer: LayerSaid| {
        let mut kept = LayerSaid::new();
        for said in layer {
            kept.push(said);
            if below.clone().apply(&kept).is_err() {
                kept.pop();
            }
        }
        below.apply(&kept).expect("tried before");
        kept
    };
    layers.into_iter().map(keep).collect()
}

fn archive(layer: &LayerSaid) -> Vec<u8> {
    let tar = layer.iter().fold(Tar::new(), |tar, (path, said)| {
        let (dir, name) =
            path.rsplit_once('/').map_or((String::new(), path.as_str()), |(dir, name)| (format!("{dir}/"), name));
        match said {
            Said::Dir(mode) if path.is_empty() => tar.dir_mode(b"./", u64::from(*mode)),
            Said::Dir(mode) => tar.dir_mode(path.as_bytes(), u64::from(*mode)),
            Said::File(text) => tar.file(path.as_bytes(), text.as_bytes()),
            Said::Link(target) => tar.symlink(path.as_bytes(), target.as_bytes()),
            Said::Hard(target) => tar.hard(path.as_bytes(), target.as_bytes()),
            Said::Whiteout => tar.file(format!("{dir}.wh.{name}").as_bytes(), b""),
            Said::Opaque if path.is_empty() => tar.file(b".wh..wh..opq", b""),
            Said::Opaque => tar.file(format!("{path}/.wh..wh..opq").as_bytes(), b""),
        }
    });
    tar.end()
}

#[test]
fn random_layers_come_to_what_the_model_says() {
    let cases = std::env::var("VENEER_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(1000);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let any = proptest::collection::vec(proptest::collection::vec(said(), 0..14), 1..5);
    let layers = (any, 0..10).prop_map(|(layers, dice)| if dice > 0 { sensible(layers) } else { layers });
    let agree = std::cell::Cell::new((0u32, 0u32));
    let run = TestRunner::new(config).run(&layers, |layers| {
        let mut model = Model::default();
        let wanted = layers.iter().try_for_each(|layer| model.apply(layer)).map(|()| model.listing());
        let archives: Vec<Bytes> = layers.iter().rev().map(|layer| Bytes::new(archive(layer))).collect();
        let (good, again) = agree.get();
        match (merged(&archives), wanted) {
            (Ok((collected, summary)), Ok(wanted)) => {
                prop_assert_eq!(collected.listing(), wanted);
                agree.set((good + 1, again + summary.read_again.min(1)));
            }
            (Err(_), Err(())) => {}
            (Err(said), Ok(_)) => prop_assert!(false, "only the merge refuses: {}", said),
            (Ok(_), Err(())) => prop_assert!(false, "only the model refuses"),
        }
        Ok(())
    });
    run.expect("the merge and the model agree");
    let (good, again) = agree.get();
    println!("{cases} cases, {good} that both took, {again} with bytes read again");
    assert!(good > cases / 10, "too few cases that can be compared: {good} of {cases}");
}
