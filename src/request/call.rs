//! From a call to what is asked: every parameter is read once, and what is not as it must be is named.
//! It does nothing and asks nobody.
//! The methods are those of `io.veneer.Overlay.varlink`.

use super::denial::Denial;
use super::interface::{NAME, SERVICE, description};
use super::message::Call;
use crate::overlay::OverlayName;
use crate::path::AbsPath;
use serde_json::{Map, Value};

/// Longest description of an overlay.
const DESCRIPTION_MAX: usize = 200;
/// Most descriptors that a request needs.
pub const DESCRIPTORS_MAX: usize = 1;

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// `org.varlink.service.GetInfo`
    Info,
    /// `org.varlink.service.GetInterfaceDescription`
    Description(&'static str),
    /// Lay something over the host.
    Apply(Apply),
    /// All overlays.
    List,
    /// What one's own overlay changes.
    Diff(OverlayName, Compared),
    /// The versions of one's own overlay.
    History(OverlayName),
    /// Drop what was written.
    Reset(OverlayName, Interaction),
    /// Go back to an older version: this one, or the one before.
    Rollback(OverlayName, Option<u32>, Interaction),
    /// Take it away.
    Remove(OverlayName, Busy, Interaction),
}

/// What is to be laid over the host.
#[derive(Clone, Debug, PartialEq)]
pub struct Apply {
    /// The overlay's name.
    pub name: OverlayName,
    /// What it goes over, as it was typed.
    pub target: AbsPath,
    /// How.
    pub wanted: Wanted,
    /// Whether it is done.
    pub dry: Dry,
    /// Whether somebody may be asked for a password.
    pub interaction: Interaction,
}

/// How an overlay is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Whether it can be written to, and how much.
    pub access: Access,
    /// Whether it outlives a reboot.
    pub lifetime: Lifetime,
    /// In one line.
    pub description: Option<String>,
}

/// Whether an overlay can be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It cannot.
    ReadOnly,
    /// It can; so many bytes, if that was said.
    Writable(Option<u64>),
}

/// How long an overlay stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// Until the next boot.
    Transient,
    /// Until it is removed.
    Persistent,
}

/// Whether somebody may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interaction {
    /// They may be asked for a password.
    Allowed,
    /// They may not.
    Forbidden,
}

/// What of an overlay is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    /// All of it, with what lies beneath.
    Everything,
    /// What was written, with the rest.
    Written,
}

/// Whether an overlay is taken away while it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    /// It is detached.
    Detach,
    /// It is not.
    Refuse,
}

/// Whether it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dry {
    /// Everything is checked, nothing is done.
    Run,
    /// It is done.
    Done,
}

impl Request {
    /// Reads a call that came with so many descriptors.
    pub fn read(call: &Call, descriptors: usize) -> Result<Self, Denial> {
        let (interface, method) = call.method.rsplit_once('.').unwrap_or(("", &call.method));
        let nothing = Map::new();
        let parameters = Parameters(call.parameters.as_ref().unwrap_or(&nothing));
        let request = match interface {
            SERVICE => service(method, parameters, call),
            NAME => overlay(method, parameters, call, descriptors),
            _ => Err(Denial::InterfaceNotFound(shown(interface))),
        }?;
        let wanted = usize::from(matches!(request, Self::Apply(_)));
        match descriptors == wanted {
            true => Ok(request),
            false => Err(Denial::refused(format!("{method} takes {wanted} file descriptors, and {descriptors} came"))),
        }
    }
}

fn service(method: &str, parameters: Parameters<'_>, call: &Call) -> Result<Request, Denial> {
    match method {
        "GetInfo" => parameters.only(&[]).map(|()| Request::Info),
        "GetInterfaceDescription" => {
            parameters.only(&["interface"])?;
            let interface = parameters.text("interface")?;
            description(interface).map(Request::Description).ok_or_else(|| Denial::InterfaceNotFound(shown(interface)))
        }
        _ => Err(Denial::MethodNotFound(shown(&call.method))),
    }
}

fn overlay(method: &str, parameters: Parameters<'_>, call: &Call, descriptors: usize) -> Result<Request, Denial> {
    match method {
        "Apply" => apply(parameters, descriptors).map(Request::Apply),
        "List" => parameters.only(&[]).map(|()| Request::List),
        "Diff" => {
            parameters.only(&["name", "written"])?;
            let compared = parameters.either("written", Compared::Written, Compared::Everything)?;
            Ok(Request::Diff(parameters.name()?, compared))
        }
        "History" => parameters.only(&["name"]).and_then(|()| parameters.name()).map(Request::History),
        "Reset" => {
            parameters.only(&["name", INTERACTIVE])?;
            Ok(Request::Reset(parameters.name()?, parameters.interaction()?))
        }
        "Rollback" => {
            parameters.only(&["name", "version", INTERACTIVE])?;
            let version = parameters.number("version")?.map(u32::try_from).transpose();
            let version = version.map_err(|_| invalid("version"))?;
            Ok(Request::Rollback(parameters.name()?, version, parameters.interaction()?))
        }
        "Remove" => {
            parameters.only(&["name", "lazy", INTERACTIVE])?;
            let busy = parameters.either("lazy", Busy::Detach, Busy::Refuse)?;
            Ok(Request::Remove(parameters.name()?, busy, parameters.interaction()?))
        }
        _ => Err(Denial::MethodNotFound(shown(&call.method))),
    }
}

const INTERACTIVE: &str = "allowInteractiveAuthentication";

fn apply(parameters: Parameters<'_>, descriptors: usize) -> Result<Apply, Denial> {
    let known = ["name", "source", "target", "access", "lifetime", "size", "description", "dryRun", INTERACTIVE];
    parameters.only(&known)?;
    let index = parameters.number("source")?.ok_or_else(|| invalid("source"))?;
    if usize::try_from(index).map_or(true, |index| index >= descriptors) {
        return Err(Denial::refused(format!("there is no file descriptor {index} with this message")));
    }
    let target = AbsPath::parse(parameters.text("target")?).map_err(Denial::Refused)?;
    let size = parameters.number("size")?;
    let access = match (parameters.word("access", &["readOnly", "writable"])?, size) {
        (None | Some("readOnly"), None) => Access::ReadOnly,
        (Some("writable"), None) => Access::Writable(None),
        (Some("writable"), Some(size)) if size > 0 => Access::Writable(Some(size)),
        _ => return Err(invalid("size")),
    };
    let lifetime = match parameters.word("lifetime", &["transient", "persistent"])? {
        Some("persistent") => Lifetime::Persistent,
        _ => Lifetime::Transient,
    };
    let wanted = Wanted { access, lifetime, description: parameters.description()? };
    let dry = parameters.either("dryRun", Dry::Run, Dry::Done)?;
    Ok(Apply { name: parameters.name()?, target, wanted, dry, interaction: parameters.interaction()? })
}

/// The parameters of a call. `null` is as good as none, as Varlink has it.
#[derive(Clone, Copy)]
struct Parameters<'a>(&'a Map<String, Value>);

impl<'a> Parameters<'a> {
    fn only(self, known: &[&str]) -> Result<(), Denial> {
        match self.0.keys().find(|key| !known.contains(&key.as_str())) {
            Some(stranger) => Err(invalid(stranger)),
            None => Ok(()),
        }
    }

    fn get(self, key: &str) -> Option<&'a Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    fn text(self, key: &str) -> Result<&'a str, Denial> {
        self.get(key).and_then(Value::as_str).ok_or_else(|| invalid(key))
    }

    fn number(self, key: &str) -> Result<Option<u64>, Denial> {
        self.get(key).map(|value| value.as_u64().ok_or_else(|| invalid(key))).transpose()
    }

    fn either<T>(self, key: &str, yes: T, no: T) -> Result<T, Denial> {
        match self.get(key).map(Value::as_bool) {
            None | Some(Some(false)) => Ok(no),
            Some(Some(true)) => Ok(yes),
            Some(None) => Err(invalid(key)),
        }
    }

    fn word(self, key: &str, words: &[&'static str]) -> Result<Option<&'static str>, Denial> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let found = words.iter().copied().find(|word| value.as_str() == Some(*word));
        found.map(Some).ok_or_else(|| invalid(key))
    }

    fn name(self) -> Result<OverlayName, Denial> {
        OverlayName::parse(self.text("name")?).map_err(Denial::Refused)
    }

    fn interaction(self) -> Result<Interaction, Denial> {
        self.either(INTERACTIVE, Interaction::Allowed, Interaction::Forbidden)
    }

    fn description(self) -> Result<Option<String>, Denial> {
        let Some(value) = self.get("description") else { return Ok(None) };
        let text = value.as_str().ok_or_else(|| invalid("description"))?;
        let bad = text.chars().any(char::is_control) || text.len() > DESCRIPTION_MAX || text.trim().is_empty();
        match bad {
            true => Err(Denial::refused(format!("a description is one line of at most {DESCRIPTION_MAX} bytes"))),
            false => Ok(Some(text.to_owned())),
        }
    }
}

fn invalid(parameter: &str) -> Denial {
    Denial::InvalidParameter(shown(parameter))
}

/// What somebody sent, fit to be sent back and logged.
fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, descriptors: usize) -> Result<Request, Denial> {
        Request::read(&Call::parse(text.as_bytes())?, descriptors)
    }

    fn apply_with(extra: &str) -> Result<Request, Denial> {
        let parameters = format!("\"name\":\"try\",\"source\":0,\"target\":\"/usr/share/x\"{extra}");
        read(&format!("{{\"method\":\"io.veneer.Overlay.Apply\",\"parameters\":{{{parameters}}}}}"), 1)
    }

    #[test]
    fn an_overlay_is_read_only_and_transient_unless_said_otherwise() {
        let Ok(Request::Apply(apply)) = apply_with("") else { panic!("an overlay") };
        let wanted = Wanted { access: Access::ReadOnly, lifetime: Lifetime::Transient, description: None };
        assert_eq!((apply.wanted, apply.interaction, apply.dry), (wanted, Interaction::Forbidden, Dry::Done));
        let Ok(Request::Apply(apply)) =
            apply_with(",\"access\":\"writable\",\"size\":4096,\"lifetime\":\"persistent\"")
        else {
            panic!("an overlay")
        };
        assert_eq!(apply.wanted.access, Access::Writable(Some(4096)));
        assert_eq!(apply.wanted.lifetime, Lifetime::Persistent);
    }

    #[test]
    fn parameters_that_are_not_as_they_must_be_are_named() {
        let parameter = |extra: &str| match apply_with(extra) {
            Err(Denial::InvalidParameter(parameter)) => parameter,
            other => panic!("{extra}: {other:?}"),
        };
        assert_eq!(parameter(",\"owner\":0"), "owner");
        assert_eq!(parameter(",\"size\":-1"), "size");
        assert_eq!(parameter(",\"size\":1"), "size");
        assert_eq!(parameter(",\"access\":\"writable\",\"size\":0"), "size");
        assert_eq!(parameter(",\"access\":\"rw\""), "access");
        assert_eq!(parameter(",\"lifetime\":1"), "lifetime");
        assert_eq!(parameter(",\"dryRun\":\"yes\""), "dryRun");
        assert_eq!(parameter(",\"allowInteractiveAuthentication\":1"), "allowInteractiveAuthentication");
        assert_eq!(parameter(",\"description\":[]"), "description");
        assert_eq!(parameter(",\"uid\\u001b\":0"), "uid\u{fffd}");
    }

    #[test]
    fn sentences_go_with_what_is_refused() {
        for bad in [
            ",\"name\":\"..\"",
            ",\"name\":\"a/b\"",
            ",\"name\":\"\"",
            ",\"target\":\"usr/share\"",
            ",\"target\":\"/usr/../etc\"",
            ",\"target\":\"/usr/share/\\u0000x\"",
            ",\"source\":1",
            ",\"source\":18446744073709551615",
            ",\"description\":\"a\\nb\"",
        ] {
            assert!(matches!(apply_with(bad), Err(Denial::Refused(_))), "{bad}: {:?}", apply_with(bad));
        }
    }

    #[test]
    fn what_one_asks_of_ones_own_overlay_is_read() {
        let ask = |method: &str, parameters: &str| {
            let text =
                format!("{{\"method\":\"io.veneer.Overlay.{method}\",\"parameters\":{{\"name\":\"a\"{parameters}}}}}");
            read(&text, 0)
        };
        let name = OverlayName::parse("a").expect("a name");
        assert_eq!(ask("Diff", ""), Ok(Request::Diff(name.clone(), Compared::Everything)));
        assert_eq!(ask("Diff", ",\"written\":true"), Ok(Request::Diff(name.clone(), Compared::Written)));
        assert_eq!(ask("History", ""), Ok(Request::History(name.clone())));
        let rollback = |version| Ok(Request::Rollback(name.clone(), version, Interaction::Forbidden));
        assert_eq!(ask("Rollback", ""), rollback(None));
        assert_eq!(ask("Rollback", ",\"version\":3"), rollback(Some(3)));
        for bad in [",\"version\":4294967296", ",\"version\":-1", ",\"version\":\"3\""] {
            assert_eq!(ask("Rollback", bad), Err(Denial::InvalidParameter("version".into())), "{bad}");
        }
        assert_eq!(ask("History", ",\"owner\":0"), Err(Denial::InvalidParameter("owner".into())));
    }

    #[test]
    fn descriptors_come_with_what_needs_them_and_with_nothing_else() {
        assert!(matches!(read("{\"method\":\"io.veneer.Overlay.List\"}", 1), Err(Denial::Refused(_))));
        assert_eq!(read("{\"method\":\"io.veneer.Overlay.List\",\"parameters\":{}}", 0), Ok(Request::List));
    }

    #[test]
    fn what_nobody_offers_is_named() {
        let interface = read("{\"method\":\"io.systemd.Manager.Reload\"}", 0);
        assert_eq!(interface, Err(Denial::InterfaceNotFound("io.systemd.Manager".into())));
        let method = read("{\"method\":\"io.veneer.Overlay.Commit\"}", 0);
        assert_eq!(method, Err(Denial::MethodNotFound("io.veneer.Overlay.Commit".into())));
        assert_eq!(read("{\"method\":\"Apply\"}", 0), Err(Denial::InterfaceNotFound(String::new())));
    }

    #[test]
    fn the_service_describes_itself() {
        assert_eq!(read("{\"method\":\"org.varlink.service.GetInfo\"}", 0), Ok(Request::Info));
        let ask = "{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{\"interface\":\"io.veneer.Overlay\"}}";
        let Ok(Request::Description(text)) = read(ask, 0) else { panic!("a description") };
        assert!(text.contains("interface io.veneer.Overlay\n"));
    }
}
