//! Files, links and directories put into an image that is there: what is asked for, what comes of it, and the new tree.
//! It opens no file and changes none: `host::inject` does, once everything is decided.
//! Rules: docs/inject.md. While a container image is converted, `merge` does the same from its own tree.

pub mod boot;
mod check;
mod decide;
mod elf;
mod form;
mod layer;
mod resolve;
pub mod spec;
mod wish;
mod word;
mod write;

pub use decide::{Plan, Step, Verdict, decide};
pub use elf::{Elf, Machine};
pub use form::Wanted;
pub use layer::Extent;
pub use spec::{Arguments, Spec};
pub use wish::{AGENT, Bytes, Given, Image, Injection, Purpose, Replacing, What};
pub use write::{recorded, write};
