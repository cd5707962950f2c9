//! The JSON Schemas against the reader and the examples: what is shipped must say the same as the code.
//! The check below knows only the keywords our schemas use, and refuses any other, so none is passed over.
//! Keywords are those of JSON Schema, draft 2020-12.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use regex_lite::Regex;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};
use veneer::config::keys::{APP, BATCH, HOST_OVERLAY, SETTINGS, Section};
use veneer::config::{AppText, ConfigText, Dir, File, Host, load_app, load_batch, load_overlay};
use veneer::name::AppId;

fn repo(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn schema(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(repo(&format!("share/{name}"))).unwrap()).unwrap()
}

fn json(value: DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.into_owned()),
        DeValue::Integer(number) => number.as_str().parse::<i64>().unwrap().into(),
        DeValue::Float(number) => number.as_str().parse::<f64>().unwrap().into(),
        DeValue::Boolean(yes) => yes.into(),
        DeValue::Datetime(date) => date.to_string().into(),
        DeValue::Array(items) => items.into_iter().map(|item| json(item.into_inner())).collect(),
        DeValue::Table(table) => object(table),
    }
}

fn object(table: DeTable<'_>) -> Value {
    Value::Object(
        table.into_iter().map(|(key, value)| (key.into_inner().into_owned(), json(value.into_inner()))).collect(),
    )
}

fn read(path: &Path) -> (String, Value) {
    let text = std::fs::read_to_string(path).unwrap();
    let value = object(DeTable::parse(&text).unwrap().into_inner());
    (text, value)
}

/// The least JSON Schema validator that these schemas need.
struct Check<'s> {
    root: &'s Value,
}

impl Check<'_> {
    fn valid(&self, schema: &Value, value: &Value) -> Result<(), String> {
        for (keyword, rule) in schema.as_object().unwrap() {
            self.keyword(keyword, rule, schema, value).map_err(|reason| format!("{reason} in {value}"))?;
        }
        Ok(())
    }

    fn keyword(&self, keyword: &str, rule: &Value, schema: &Value, value: &Value) -> Result<(), String> {
        match keyword {
            "$schema" | "title" | "description" | "default" | "examples" | "$defs" | "then" => Ok(()),
            "$ref" => self.valid(self.root.pointer(&rule.as_str().unwrap()[1..]).expect("it leads somewhere"), value),
            "if" if self.valid(rule, value).is_ok() => self.valid(&schema["then"], value),
            "if" => Ok(()),
            "not" => holds(keyword, self.valid(rule, value).is_err()),
            "oneOf" => {
                let fitting = rule.as_array().unwrap().iter().filter(|one| self.valid(one, value).is_ok()).count();
                holds(keyword, fitting == 1)
            }
            "properties" => rule
                .as_object()
                .unwrap()
                .iter()
                .try_for_each(|(key, rule)| value.get(key).map_or(Ok(()), |value| self.valid(rule, value))),
            "propertyNames" => entries(value).try_for_each(|(key, _)| self.valid(rule, &Value::String(key.clone()))),
            "additionalProperties" => self.additional(rule, schema, value),
            "items" => value.as_array().into_iter().flatten().try_for_each(|item| self.valid(rule, item)),
            _ => holds(keyword, fits(keyword, rule, value)),
        }
    }

    fn additional(&self, rule: &Value, schema: &Value, value: &Value) -> Result<(), String> {
        let named = |key: &str| schema.get("properties").is_some_and(|properties| properties.get(key).is_some());
        entries(value).filter(|(key, _)| !named(key)).try_for_each(|(key, value)| match rule {
            Value::Bool(false) => Err(format!("{key:?} is not a key")),
            rule => self.valid(rule, value),
        })
    }
}

fn holds(keyword: &str, holds: bool) -> Result<(), String> {
    if holds { Ok(()) } else { Err(format!("{keyword} does not hold")) }
}

/// The keywords that look at one value only; each says nothing of values of another type.
fn fits(keyword: &str, rule: &Value, value: &Value) -> bool {
    let length = value.as_str().map(str::len).or(value.as_array().map(Vec::len));
    match keyword {
        "type" => types(rule).any(|name| is(name, value)),
        "enum" => rule.as_array().unwrap().contains(value),
        "required" => {
            let mut keys = rule.as_array().unwrap().iter().filter_map(Value::as_str);
            !value.is_object() || keys.all(|key| value.get(key).is_some())
        }
        "pattern" => value.as_str().is_none_or(|text| Regex::new(rule.as_str().unwrap()).unwrap().is_match(text)),
        "minLength" | "minItems" => length.is_none_or(|length| length as u64 >= rule.as_u64().unwrap()),
        "minimum" => value.as_i64().is_none_or(|number| number >= rule.as_i64().unwrap()),
        "maximum" => value.as_i64().is_none_or(|number| number <= rule.as_i64().unwrap()),
        _ => panic!("the keyword {keyword} is not known to this test"),
    }
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn types(rule: &Value) -> impl Iterator<Item = &str> {
    rule.as_str().into_iter().chain(rule.as_array().into_iter().flatten().filter_map(Value::as_str))
}

fn is(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        _ => panic!("the type {name} is not known to this test"),
    }
}

fn examples() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(repo("examples")).unwrap().map(|entry| entry.unwrap().path());
    let mut apps: Vec<_> = entries
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml") && !path.ends_with("veneer.toml"))
        .collect();
    apps.sort();
    apps
}

/// The sections of a schema, as the reader's table names them: a path through `properties` and `items`.
fn sections(root: &Value, schema: &Value, name: &str, found: &mut Vec<(String, BTreeSet<String>)>) {
    let schema = match schema.get("$ref").and_then(Value::as_str) {
        Some(reference) => root.pointer(&reference[1..]).unwrap(),
        None => schema,
    };
    if let Some(items) = schema.get("items") {
        sections(root, items, name, found);
    }
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        // A table that takes any name.
        let Some(each) = schema.get("additionalProperties") else { return };
        found.push((name.into(), BTreeSet::new()));
        // The table behind each name is one section, called as its definition is.
        if let Some(definition) = each.get("$ref").and_then(Value::as_str) {
            let above = name.split('.').next().unwrap_or_default();
            let called = definition.rsplit('/').next().unwrap_or_default();
            let below = root.pointer(&definition[1..]).unwrap();
            if below.get("properties").is_some() {
                sections(root, below, &format!("{above}.{called}"), found);
            }
        }
        return;
    };
    assert_eq!(schema.get("additionalProperties"), Some(&Value::Bool(false)), "{name}");
    found.push((name.into(), properties.keys().cloned().collect()));
    for (key, below) in properties {
        sections(root, below, &if name.is_empty() { key.clone() } else { format!("{name}.{key}") }, found);
    }
}

fn same_keys(name: &str, start: &str, table: &[Section]) {
    let schema = schema(name);
    let mut of_schema = Vec::new();
    sections(&schema, schema.pointer(start).unwrap(), "", &mut of_schema);
    let of_reader: BTreeSet<(String, BTreeSet<String>)> = table
        .iter()
        .map(|section| (section.name.into(), section.keys.iter().map(|key| (*key).into()).collect()))
        .collect();
    assert_eq!(of_schema.into_iter().collect::<BTreeSet<_>>(), of_reader, "{name}");
}

#[test]
fn schemas_and_reader_know_the_same_keys() {
    same_keys("veneer.app.schema.json", "/$defs/part", APP);
    same_keys("veneer.toml.schema.json", "", SETTINGS);
    same_keys("veneer.overlay.schema.json", "/$defs/part", HOST_OVERLAY);
    same_keys("veneer.overlay.schema.json", "/$defs/batch", BATCH);
}

#[test]
fn every_example_fits_the_schema() {
    let schema = schema("veneer.app.schema.json");
    let check = Check { root: &schema };
    for path in examples().into_iter().chain([repo("tests/full.toml")]) {
        assert_eq!(check.valid(&schema, &read(&path).1), Ok(()), "{}", path.display());
    }
    let (_, template) = read(&repo("examples/templates.d/web.toml"));
    assert_eq!(check.valid(&schema["$defs"]["part"], &template), Ok(()));
    let overlay = self::schema("veneer.overlay.schema.json");
    let check = Check { root: &overlay };
    assert_eq!(check.valid(&overlay, &read(&repo("examples/overlays.d/site.toml")).1), Ok(()));
    assert_eq!(check.valid(&overlay["$defs"]["batch"], &read(&repo("examples/overlays/batch.toml")).1), Ok(()));
    let settings = self::schema("veneer.toml.schema.json");
    assert_eq!(Check { root: &settings }.valid(&settings, &read(&repo("examples/veneer.toml")).1), Ok(()));
}

#[test]
fn every_example_loads_without_a_word() {
    let file = |path: &Path, dir: &str| {
        let name = path.file_stem().unwrap().to_str().unwrap();
        (name.into(), File::new(format!("/etc/veneer/{dir}/{name}.toml"), read(path).0))
    };
    let dir = Dir {
        apps: examples().iter().map(|path| file(path, "apps.d")).collect(),
        templates: vec![file(&repo("examples/templates.d/web.toml"), "templates.d")],
        ..Dir::default()
    };
    let text = ConfigText::from_dirs(vec![dir]);
    let (host, problems) = Host::load(&text);
    assert_eq!((problems, &text.problems), (Vec::new(), &Vec::new()));
    for app in &text.apps {
        assert_eq!(load_app(app, &host).unwrap().warnings, [], "{}", app.id);
    }
    let settings = File::new("/etc/veneer/veneer.toml", read(&repo("examples/veneer.toml")).0);
    let text = ConfigText::from_dirs(vec![Dir { settings: Some(settings), ..Dir::default() }]);
    assert_eq!(Host::load(&text).1, []);
    let site = File::new("/etc/veneer/overlays.d/site.toml", read(&repo("examples/overlays.d/site.toml")).0);
    let site = AppText { id: AppId::parse("site").unwrap(), file: site, drop_ins: Vec::new() };
    assert_eq!(load_overlay(&site).unwrap().target.as_str(), "/usr/share/site");
    let batch = File::new("batch.toml", read(&repo("examples/overlays/batch.toml")).0);
    assert_eq!(load_batch(&batch).unwrap().len(), 2);
}

/// Each is refused by the schema and by the reader.
#[test]
fn the_schema_of_overlays_refuses_what_the_reader_refuses() {
    let schema = schema("veneer.overlay.schema.json");
    let check = Check { root: &schema };
    let good = "[overlay]\nsource = \"/srv/a\"\ntarget = \"/usr/share/a\"\n";
    let refused = |text: &str| {
        let file = File::new("/etc/veneer/overlays.d/a.toml", text);
        let text = AppText { id: AppId::parse("a").unwrap(), file, drop_ins: Vec::new() };
        load_overlay(&text).is_err()
    };
    let fits = |text: &str| check.valid(&schema, &object(DeTable::parse(text).unwrap().into_inner()));
    assert_eq!((fits(good), refused(good)), (Ok(()), false));
    for bad in [
        "mode = \"rw\"",
        "persistent = \"yes\"",
        "size = \"1.5G\"",
        "owner = \"alice\"",
        "base-changed = \"ask\"",
        "force-target = \"usr\"",
        "options = [\"metacopy=on\"]",
        "name = \"a\"",
    ] {
        let text = format!("{good}{bad}\n");
        assert!(fits(&text).is_err() && refused(&text), "{bad}");
    }
    for incomplete in ["", "[overlay]\n", "[overlay]\nsource = \"/srv/a\"\n", "overlay = 1\n"] {
        assert!(fits(incomplete).is_err() && refused(incomplete), "{incomplete}");
    }
}

#[test]
fn the_schema_refuses_what_the_reader_refuses() {
    let schema = schema("veneer.app.schema.json");
    let check = Check { root: &schema };
    let part = &schema["$defs"]["part"];
    for bad in [
        "nonsense = 1",
        "[image]\nfile = \"a/b\"",
        "[image]\nroot-hash = \"xyz\"",
        "[image]\nrequire = \"sgned\"",
        "[image]\nskeleton = \"no\"",
        "[overlay]\nsize = \"1.5G\"",
        "[overlay]\nlayers = [\"/a,b\"]",
        "[service]\nexec = \"/bin/x\"",
        "[service]\nexec = []",
        "[service]\nuser = \"Some One\"",
        "[service]\nbind = [{ source = \"/a\" }]",
        "[service]\nlisten = [70000]",
        "[service.environment]\n\"A-B\" = \"1\"",
        "[service.directives]\nNice = {}",
    ] {
        let value = object(DeTable::parse(bad).unwrap().into_inner());
        assert!(check.valid(part, &value).is_err(), "{bad}");
    }
    for incomplete in
        ["", "[image]\nfile = \"x\"", "[image]\nfile = \"x\"\ndirectory = \"/x\"\n[service]\nexec = [\"/x\"]"]
    {
        let value = object(DeTable::parse(incomplete).unwrap().into_inner());
        assert!(check.valid(&schema, &value).is_err(), "{incomplete}");
    }
    assert!(check.valid(&schema, &Value::Object(Map::new())).is_err());
}

/// The keys that a man page describes, by the first part of their section's name.
fn of_man_page(page: &str) -> BTreeSet<(String, String)> {
    let text = std::fs::read_to_string(repo(&format!("man/{page}"))).unwrap();
    let heading = Regex::new(r#"^\.SH "\[([A-Z]+)\] SECTION""#).unwrap();
    let key = Regex::new(r#"^\.BR? "?([a-z\\-]+) ="#).unwrap();
    let (mut section, mut keys) = (String::new(), BTreeSet::new());
    for line in text.lines() {
        if let Some(found) = heading.captures(line) {
            section = found[1].to_lowercase();
        } else if let Some(found) = key.captures(line) {
            keys.insert((section.clone(), found[1].replace('\\', "")));
        }
    }
    keys
}

#[test]
fn the_man_pages_describe_every_key_and_no_other() {
    for (page, table) in [("veneer.app.5", APP), ("veneer.toml.5", SETTINGS)] {
        let sections: Vec<&str> = table[0].keys.to_vec();
        let of_reader: BTreeSet<(String, String)> = table
            .iter()
            .flat_map(|section| section.keys.iter().map(|key| (section.name.split('.').next().unwrap(), *key)))
            .filter(|(section, key)| !section.is_empty() || *key == "reset" || !sections.contains(key))
            .map(|(section, key)| (section.to_owned(), key.to_owned()))
            .collect();
        assert_eq!(of_man_page(page), of_reader, "{page}");
    }
}
