//! What systemd's and the kernel's own words say about images: claims out of their text.
//! It asks neither: the texts come in.
//! Form of the units: systemctl(1) `show`.

use super::in_use::{Claim, On};
use crate::layout::{IMAGES, VERSIONS};
use crate::mountinfo::{Entry, entries, unescape};

/// What of a unit can name an image; for systems before a property was known, it is left out by systemd.
pub const PROPERTIES: &str = "Id,ActiveState,ExecCondition,ExecStartPre,ExecStart,ExecStartPost,ExecReload,ExecStop,\
    ExecStopPost,What,Where,Options,RootImage,RootDirectory,RootVerity,BindPaths,BindReadOnlyPaths,MountImages,\
    ExtensionImages,ExtensionDirectories,Environment,LoadCredential,ConditionPathExists,RequiresMountsFor";

/// What loaded units name, whatever state they are in.
pub fn of_units(text: &str) -> Vec<Claim> {
    let mut claims = Vec::new();
    for unit in text.split("\n\n").filter(|unit| unit.contains(IMAGES) || unit.contains(VERSIONS)) {
        let field = |name: &str| unit.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        let by = format!("unit {} ({})", field("Id="), field("ActiveState="));
        // What only has to be mounted is no image.
        let names_the_store = |line: &&str| line.contains(IMAGES) || line.contains(VERSIONS);
        for line in unit.lines().filter(names_the_store).filter(|line| !line.starts_with("RequiresMountsFor=")) {
            claims.push(Claim { on: On::Text(line.to_owned()), by: by.clone() });
            // An app that names its image without a path (veneer-verity's `--name=`, with `--store=`).
            let names = line.split_whitespace().filter_map(|word| word.strip_prefix("--name="));
            claims.extend(names.map(|name| Claim { on: On::Name(name.to_owned()), by: by.clone() }));
        }
    }
    claims
}

/// What is mounted out of the store: images that are a mount's source or layer, and files that are bound elsewhere.
pub fn of_mounts(text: &str) -> Vec<Claim> {
    let mounts: Vec<Entry<'_>> = entries(text).collect();
    let below = |mount: &&Entry<'_>| {
        mount.place == "/" || IMAGES.starts_with(&format!("{}/", mount.place)) || mount.place == IMAGES
    };
    // The last of the deepest: what is mounted over it cannot be seen.
    let store = mounts.iter().filter(below).max_by_key(|mount| mount.place.len());
    let mut claims = Vec::new();
    for mount in &mounts {
        let by = format!("mounted at {}", mount.place);
        let bound =
            store.filter(|store| store.device == mount.device).and_then(|store| below_store(store, &mount.root));
        claims.extend(bound.map(|path| Claim { on: On::Text(path), by: by.clone() }));
        let from = format!("{} {} {}", mount.kind, mount.source, unescape(mount.options));
        if from.contains(IMAGES) || from.contains(VERSIONS) {
            claims.push(Claim { on: On::Text(from), by });
        }
    }
    claims
}

/// The path of a bound file as it is seen through the mount that the store is on.
fn below_store(store: &Entry<'_>, root: &str) -> Option<String> {
    let rest = if store.root == "/" { root } else { root.strip_prefix(&store.root)? };
    let point = if store.place == "/" { "" } else { &store.place };
    Some(format!("{point}{rest}")).filter(|path| path.starts_with(IMAGES))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(claims: &[Claim]) -> Vec<String> {
        claims.iter().map(|Claim { on, by }| format!("{by}: {on:?}")).collect()
    }

    #[test]
    fn units_are_claims_in_any_state() {
        let text = "Id=a.service\nActiveState=active\nExecStart={ /bin/true }\n\n\
            Id=veneer-verity@b.service\nActiveState=failed\n\
            ExecStart={ argv[]=/x attach b --name=b --store=/var/lib/veneer/images --type=erofs ; }\n\
            RequiresMountsFor=/var/lib/veneer/images\n\n\
            Id=c.service\nActiveState=inactive\nRootImage=/var/lib/veneer/images/c.raw\n";
        let found = shown(&of_units(text));
        assert_eq!(found.len(), 3);
        assert!(found[1].starts_with("unit veneer-verity@b.service (failed): Name(\"b\")"), "{found:?}");
        assert!(found[2].starts_with("unit c.service (inactive): Text(\"RootImage="), "{found:?}");
    }

    #[test]
    fn mounts_are_claims_by_source_and_by_what_is_bound() {
        let bound = |root: &str, point: &str, root_of_var: &str| {
            let text = format!(
                "20 1 8:1 / / rw - ext4 /dev/sda rw\n21 20 8:2 {root_of_var} {point} rw - ext4 /dev/sdb rw\n\
                 22 20 8:2 {root} /mnt/x rw - ext4 /dev/sdb rw\n"
            );
            shown(&of_mounts(&text))
        };
        let wanted = ["mounted at /mnt/x: Text(\"/var/lib/veneer/images/a b.raw\")"];
        assert_eq!(bound("/lib/veneer/images/a\\040b.raw", "/var", "/"), wanted);
        assert_eq!(bound("/@var/lib/veneer/images/a\\040b.raw", "/var", "/@var"), wanted);
        assert!(bound("/lib/veneer/images/a.raw", "/srv", "/").is_empty());
        let erofs = "20 1 8:1 / / rw - ext4 /dev/sda rw\n30 20 0:9 / /m ro - erofs /var/lib/veneer/images/a.raw ro\n";
        assert_eq!(shown(&of_mounts(erofs)), ["mounted at /m: Text(\"erofs /var/lib/veneer/images/a.raw ro\")"]);
    }
}
