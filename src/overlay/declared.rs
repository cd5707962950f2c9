//! What a changed declaration means for the overlay that is there.
//! Pure: it compares what is asked for with the record; `host::overlay::declare` does what follows.
//! The keys and what each needs are veneer.overlay(5)'s, "CHANGES".

use super::record::Mode;
use super::units::Names;
use super::{Record, Spec};

/// What is to be done so that an overlay is what its declaration says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// Nothing: it is.
    Nothing,
    /// The record says otherwise, and no layer does.
    Record,
    /// Its writable side has another size: a new version gets that, with what was written into the old one.
    Size,
    /// It has another source: a new version is made of it.
    Source,
}

/// What follows from a declaration for the overlay that is recorded; the error is a sentence that names the key.
pub fn follow(spec: &Spec, record: &Record) -> Result<Follow, String> {
    if let Some(key) = fixed(spec, record) {
        let (name, unit) = (&record.name, Names::new(&spec.name, &spec.target).mount);
        return Err(format!(
            "the key {key} has changed, which the overlay that is there cannot follow: \
             run veneer overlay remove {name}, then systemctl start {unit}"
        ));
    }
    let source = record.version().map(|version| version.source.from.as_str());
    let description = spec.description.as_ref().map(|text| text.as_str());
    Ok(match () {
        () if source != Some(spec.source.as_str()) => Follow::Source,
        () if record.size != spec.size && spec.mode == Mode::Writable => Follow::Size,
        () if record.size != spec.size
            || record.description.as_deref() != description
            || record.base_changed != spec.base_changed
            || record.declared != spec.declared =>
        {
            Follow::Record
        }
        () => Follow::Nothing,
    })
}

/// The key of what cannot change beneath an overlay.
fn fixed(spec: &Spec, record: &Record) -> Option<&'static str> {
    let options = spec.options.iter().map(|option| option.as_str());
    match () {
        () if record.target != spec.target => Some("target"),
        () if record.mode != spec.mode => Some("mode"),
        () if record.lifetime != spec.lifetime => Some("persistent"),
        () if record.owner != spec.owner => Some("owner"),
        () if !options.eq(record.options.iter().map(String::as_str)) => Some("options"),
        () => None,
    }
}

/// The record with what a declaration says of it and no layer does.
pub fn noted(spec: &Spec, record: &Record) -> Record {
    Record {
        size: spec.size,
        description: spec.description.as_ref().map(|text| text.as_str().to_owned()),
        base_changed: spec.base_changed,
        declared: spec.declared.clone(),
        ..record.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overlay::record::tests::record;
    use crate::overlay::record::{Lifetime, OnChange};
    use crate::overlay::spec::MountOption;
    use crate::path::AbsPath;
    use crate::unit::Text;

    type Change = fn(&mut Spec);

    fn declared() -> (Spec, Record) {
        let record = Record { declared: Some("/etc/veneer/overlays.d/a.toml".into()), ..record("a", "/opt/a") };
        let source = AbsPath::parse("/srv/site").expect("path");
        let mut spec = Spec::new(record.name.clone(), source, record.target.clone());
        (spec.mode, spec.size, spec.declared) = (record.mode, record.size, record.declared.clone());
        (spec, record)
    }

    #[test]
    fn what_a_restart_can_follow_is_followed() {
        let (spec, record) = declared();
        assert_eq!(follow(&spec, &record), Ok(Follow::Nothing));
        let changed = |change: Change| {
            let mut spec = spec.clone();
            change(&mut spec);
            let follow = follow(&spec, &record);
            assert_eq!(
                super::follow(&spec, &noted(&spec, &record)),
                match follow {
                    Ok(Follow::Source) => Ok(Follow::Source),
                    _ => Ok(Follow::Nothing),
                }
            );
            follow
        };
        assert_eq!(changed(|spec| spec.description = Text::parse("it").ok()), Ok(Follow::Record));
        assert_eq!(changed(|spec| spec.base_changed = OnChange::Hold), Ok(Follow::Record));
        assert_eq!(changed(|spec| spec.declared = Some("/run/veneer/overlays.d/a.toml".into())), Ok(Follow::Record));
        assert_eq!(changed(|spec| spec.size *= 2), Ok(Follow::Size));
        assert_eq!(changed(|spec| spec.source = AbsPath::parse("/srv/other").expect("path")), Ok(Follow::Source));
        let (mut spec, mut record) = declared();
        (spec.mode, record.mode) = (Mode::ReadOnly, Mode::ReadOnly);
        spec.size *= 2;
        assert_eq!(follow(&spec, &record), Ok(Follow::Record));
    }

    #[test]
    fn what_it_cannot_follow_is_named() {
        let changes: [(&str, Change); 5] = [
            ("target", |spec| spec.target = AbsPath::parse("/opt/b").expect("path")),
            ("mode", |spec| spec.mode = Mode::ReadOnly),
            ("persistent", |spec| spec.lifetime = Lifetime::Persistent),
            ("owner", |spec| spec.owner = 1000),
            ("options", |spec| spec.options.extend(MountOption::parse("volatile"))),
        ];
        for (key, change) in changes {
            let (mut spec, record) = declared();
            change(&mut spec);
            let said = follow(&spec, &record).expect_err(key);
            assert!(said.starts_with(&format!("the key {key} has changed")), "{said}");
            assert!(said.contains("run veneer overlay remove a, then systemctl start opt-"), "{said}");
        }
    }
}
