//! The interface as it describes itself, for `varlinkctl introspect` and for people.
//! What each method does is docs/overlays.md's to say; what it takes is read in `call`.
//! Rules: varlink.org, "Interface Definition" and "Service Interface".

use serde_json::{Value, json};

/// The name of our interface.
pub const NAME: &str = "io.veneer.Overlay";
/// Every Varlink service has this one.
pub const SERVICE: &str = "org.varlink.service";

/// Our interface, in Varlink's own language.
pub const DESCRIPTION: &str = include_str!("io.veneer.Overlay.varlink");

/// The service's interface, word for word as varlink.org has it.
pub const SERVICE_DESCRIPTION: &str = include_str!("org.varlink.service.varlink");

/// What `GetInfo` says.
pub fn info() -> Value {
    json!({
        "vendor": "Veneer",
        "product": "veneer-overlay-request",
        "version": env!("CARGO_PKG_VERSION"),
        "url": "",
        "interfaces": [NAME, SERVICE],
    })
}

/// The description of an interface, if it is one of ours.
pub fn description(interface: &str) -> Option<&'static str> {
    match interface {
        NAME => Some(DESCRIPTION),
        SERVICE => Some(SERVICE_DESCRIPTION),
        _ => None,
    }
}
