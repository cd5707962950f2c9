//! Why a request is not granted: the error's name on the wire, its sentence, and the exit code it becomes.
//! It decides nothing.
//! Names: `org.varlink.service` has its own (varlink.org); the others are our interface's.

use super::interface::NAME;
use crate::sysexits::Exit;
use serde_json::{Map, Value, json};

/// A request that is not granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// It asks for what nobody gets this way.
    Refused(String),
    /// It needs an authorization that was not given.
    NotAuthorized(String),
    /// It is more than `veneer.toml` allows.
    LimitExceeded(String),
    /// There is no such overlay.
    NoSuchOverlay(String),
    /// The overlay, or its name, is somebody else's.
    NotYours(String),
    /// It was granted, and did not work.
    Failed(String),
    /// There is no such interface.
    InterfaceNotFound(String),
    /// There is no such method.
    MethodNotFound(String),
    /// A parameter is missing, unknown, or not what it must be.
    InvalidParameter(String),
}

impl Denial {
    /// A refusal.
    pub fn refused(sentence: impl Into<String>) -> Self {
        Self::Refused(sentence.into())
    }

    /// The error's name on the wire.
    pub fn name(&self) -> String {
        let ours = |name: &str| format!("{NAME}.{name}");
        let theirs = |name: &str| format!("org.varlink.service.{name}");
        match self {
            Self::Refused(_) => ours("Refused"),
            Self::NotAuthorized(_) => ours("NotAuthorized"),
            Self::LimitExceeded(_) => ours("LimitExceeded"),
            Self::NoSuchOverlay(_) => ours("NoSuchOverlay"),
            Self::NotYours(_) => ours("NotYours"),
            Self::Failed(_) => ours("Failed"),
            Self::InterfaceNotFound(_) => theirs("InterfaceNotFound"),
            Self::MethodNotFound(_) => theirs("MethodNotFound"),
            Self::InvalidParameter(_) => theirs("InvalidParameter"),
        }
    }

    /// What goes with the name.
    pub fn parameters(&self) -> Value {
        match self {
            Self::Refused(reason)
            | Self::NotAuthorized(reason)
            | Self::LimitExceeded(reason)
            | Self::Failed(reason) => json!({ "reason": reason }),
            Self::NoSuchOverlay(name) | Self::NotYours(name) => json!({ "name": name }),
            Self::InterfaceNotFound(interface) => json!({ "interface": interface }),
            Self::MethodNotFound(method) => json!({ "method": method }),
            Self::InvalidParameter(parameter) => json!({ "parameter": parameter }),
        }
    }

    /// Reads what came over the wire.
    pub fn from_wire(name: &str, parameters: &Map<String, Value>) -> Self {
        let text = |key: &str| match parameters.get(key) {
            Some(Value::String(text)) => text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect(),
            _ => "no reason was given".to_owned(),
        };
        match name.rsplit('.').next().unwrap_or_default() {
            "Refused" => Self::Refused(text("reason")),
            "NotAuthorized" => Self::NotAuthorized(text("reason")),
            "LimitExceeded" => Self::LimitExceeded(text("reason")),
            "NoSuchOverlay" => Self::NoSuchOverlay(text("name")),
            "NotYours" => Self::NotYours(text("name")),
            "Failed" => Self::Failed(text("reason")),
            "InterfaceNotFound" => Self::InterfaceNotFound(text("interface")),
            "MethodNotFound" => Self::MethodNotFound(text("method")),
            "InvalidParameter" => Self::InvalidParameter(text("parameter")),
            _ => Self::Failed(format!("the service answers {name:?}")),
        }
    }

    /// The sentence for people.
    pub fn sentence(&self) -> String {
        match self {
            Self::Refused(reason)
            | Self::NotAuthorized(reason)
            | Self::LimitExceeded(reason)
            | Self::Failed(reason) => reason.clone(),
            Self::NoSuchOverlay(name) => format!("there is no overlay {name:?}"),
            Self::NotYours(name) => format!("the overlay {name:?} is somebody else's"),
            Self::InterfaceNotFound(interface) => format!("there is no interface {interface:?}"),
            Self::MethodNotFound(method) => format!("there is no method {method:?}"),
            Self::InvalidParameter(parameter) => format!("the parameter {parameter:?} is missing, unknown, or wrong"),
        }
    }

    /// What a command ends with that was told so.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Refused(_) => Exit::Data,
            Self::NotAuthorized(_) | Self::NotYours(_) => Exit::NoPermission,
            Self::LimitExceeded(_) => Exit::Unavailable,
            Self::NoSuchOverlay(_) => Exit::NoInput,
            Self::Failed(_) => Exit::Failure,
            Self::InterfaceNotFound(_) | Self::MethodNotFound(_) | Self::InvalidParameter(_) => Exit::Usage,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_is_the_same_on_both_sides_of_the_wire() {
        let text = || "why".to_owned();
        for denial in [
            Denial::Refused(text()),
            Denial::NotAuthorized(text()),
            Denial::LimitExceeded(text()),
            Denial::NoSuchOverlay(text()),
            Denial::NotYours(text()),
            Denial::Failed(text()),
            Denial::InterfaceNotFound(text()),
            Denial::MethodNotFound(text()),
            Denial::InvalidParameter(text()),
        ] {
            let Value::Object(parameters) = denial.parameters() else { panic!("an object") };
            assert_eq!(Denial::from_wire(&denial.name(), &parameters), denial);
            assert!(denial.sentence().contains("why"));
        }
    }

    #[test]
    fn nothing_from_the_wire_reaches_a_terminal_as_an_escape() {
        let Value::Object(parameters) = json!({ "reason": "\u{1b}[2J" }) else { panic!("an object") };
        assert!(!Denial::from_wire("x.Failed", &parameters).sentence().contains('\u{1b}'));
    }
}
