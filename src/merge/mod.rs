//! Layers merged into one tree, as a stream.
//!
//! Layers are read the topmost first. What seems to win goes to the writer at once, with its bytes; what each layer said
//! is remembered without them ([`log`](self)). When all are read, the log is replayed from the lowest layer up, exactly
//! as a runtime would unpack it, and the tree of names that comes out is the writer's to finish. Bytes that were left
//! out and turn out to be needed are read again: a hard link that survives its hidden target is the usual reason.

mod boot;
mod budget;
mod count;
mod emit;
mod injection;
mod log;
mod points;
mod replay;
mod run;
mod shadow;
mod tree;

pub use boot::Boot;
pub use count::Count;
pub use injection::{Injected, Injection, Injections, Source};
pub use points::MountPoints;
pub use replay::Existing;
pub use run::{Request, Summary, merge};
