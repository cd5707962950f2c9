//! Unit text: the only place that escapes.
//! Nothing else may put a `%`, a quote or a newline into a unit, and nothing here knows what an app is.
//! The rules are systemd.syntax(7), systemd.unit(5) and, per setting, what systemd itself reads back (tests/parser).

mod name;
mod set;
mod text;
mod value;

pub use name::UnitName;
pub use set::{Content, DROP_IN, Duplicate, UnitSet};
pub use text::{Unit, Value};
pub use value::{Arg, CredentialName, Directive, EnvVar, Layer, Text};
