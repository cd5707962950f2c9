//! Two sources that must come to the same tree: an image, and what another tool has unpacked of it.
//! `VENEER_SAME='oci:IMAGE:TAG dir:ROOTFS …' cargo test --release --test layers peers -- --ignored --nocapture`

use crate::collect::{Collected, Collector};
use veneer::host::source::open;
use veneer::layer::entry::Layer;
use veneer::merge::{Boot, MountPoints, Request, merge};
use veneer::oci::document::Platform;
use veneer::oci::layer::Reading;
use veneer::oci::source::Source;

fn collected(source: &str) -> Collected {
    let reading = Reading::default();
    let source = Source::parse(source).expect("a source");
    let opened = open(&source, &Platform::of_this_machine(), &reading).expect("opened");
    let layers = opened.layers.iter().map(|layer| &**layer as &dyn Layer).collect();
    let request =
        Request { layers, injected: None, mount_points: MountPoints::Left, boot: Boot::Left, limits: reading.limits };
    merge(&request, Collector::default(), &mut || ()).expect("merged").0
}

#[test]
#[ignore = "needs sources, named by VENEER_SAME"]
fn sources_come_to_the_same_tree() {
    let sources = std::env::var("VENEER_SAME").expect("VENEER_SAME names sources");
    let mut trees = sources.split_whitespace().map(|source| (source, collected(source).full_listing()));
    let (first, wanted) = trees.next().expect("a source");
    println!("{first}: {} names", wanted.lines().count());
    for (source, tree) in trees {
        let different: Vec<_> = wanted.lines().zip(tree.lines()).filter(|(a, b)| a != b).take(5).collect();
        assert!(different.is_empty(), "{first} and {source} differ: {different:#?}");
        assert_eq!(wanted.lines().count(), tree.lines().count(), "{first} and {source}");
        println!("{source}: the same");
    }
}
