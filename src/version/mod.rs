//! Versions of an app's image: which one is used next, when an update is on trial, and where a failed one leads back to.
//! It switches nothing: `host::version` does what is decided here.
//! The links are `store::versions`'; what is known besides is one small file per app, [`History`].

pub mod decide;
pub mod history;
pub mod spec;
pub mod standing;

pub use decide::{Decision, decide};
pub use history::{History, Trial};
pub use spec::{Arguments, Goal, Make, Mend, Start, Verb};
pub use standing::{Standing, standings};
