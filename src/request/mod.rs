//! What a user may ask of the host's overlays, over a Varlink socket: the messages, the limits, the rules for a source.
//! It opens nothing and lays nothing over anything: `host::request` does, and the overlays themselves are `overlay`'s.
//! Rules: varlink.org (messages, `org.varlink.service`), docs/overlays.md ("Users").

pub mod call;
pub mod denial;
pub mod hazard;
pub mod interface;
pub mod limits;
pub mod message;

pub use call::{Apply, Request, Wanted};
pub use denial::Denial;
pub use hazard::{Hazard, Seen, Verdict};
pub use limits::{Holding, Limit, Rules};
