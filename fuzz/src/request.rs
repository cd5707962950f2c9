//! Any bytes as what a user sends to `veneer-overlay-request.socket`, and what must hold whatever they are.
//! The answers are read again as a client reads them; what is taken is compared with rules that are written here anew.

use veneer::request::Denial;
use veneer::request::call::{Access, Apply, DESCRIPTORS_MAX, Request};
use veneer::request::message::{Call, MESSAGE_MAX, Reply, Stream, refusal};

/// Cuts bytes into messages, reads each, and looks at what was taken or refused.
///
/// The first byte says in what pieces they come, and how many descriptors.
pub fn prove_request(bytes: &[u8]) {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let piece = usize::from(first & 0x3f) + 1;
    let descriptors = usize::from(first >> 6);
    let (mut whole, mut pieces) = (Stream::default(), Stream::default());
    whole.push(bytes);
    let mut waiting = bytes.chunks(piece);
    while let Ok(Some(message)) = whole.next_message() {
        // However they come, the messages are the same.
        let same = loop {
            match pieces.next_message() {
                Ok(Some(message)) => break message,
                Ok(None) => pieces.push(waiting.next().expect("a whole message has come")),
                Err(denial) => panic!("refused in pieces: {denial:?}"),
            }
        };
        assert_eq!(message, same);
        assert!(message.len() <= MESSAGE_MAX && !message.contains(&0));
        match Call::parse(&message).and_then(|call| Request::read(&call, descriptors)) {
            Ok(request) => prove_taken(&request, descriptors),
            Err(denial) => prove_refused(&denial),
        }
    }
}

fn prove_taken(request: &Request, descriptors: usize) {
    let wanted = if let Request::Apply(apply) = request { prove_apply(apply) } else { 0 };
    assert_eq!(wanted, descriptors, "descriptors that nobody takes");
    match request {
        Request::Info | Request::Description(_) | Request::List | Request::Apply(_) => {}
        Request::Diff(name, _)
        | Request::History(name)
        | Request::Reset(name, _)
        | Request::Rollback(name, ..)
        | Request::Remove(name, ..) => prove_name(name.as_str()),
    }
}

fn prove_apply(apply: &Apply) -> usize {
    prove_name(apply.name.as_str());
    let target = apply.target.as_str();
    assert!(target.starts_with('/') && !target.chars().any(char::is_control), "{target:?}");
    assert!(target.split('/').skip(1).all(|part| part != ".." && part != "."), "{target:?}");
    assert!(!matches!(apply.wanted.access, Access::Writable(Some(0))));
    if let Some(text) = &apply.wanted.description {
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
    DESCRIPTORS_MAX
}

fn prove_name(name: &str) {
    assert!((1..=64).contains(&name.len()) && !name.contains(".."), "{name:?}");
    assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)), "{name:?}");
    assert!(name.as_bytes()[0].is_ascii_alphanumeric(), "{name:?}");
}

/// A refusal reaches whoever asked as what it is, and says why without a control character.
fn prove_refused(denial: &Denial) {
    let sent = refusal(denial);
    assert_eq!(sent.iter().filter(|byte| **byte == 0).count(), 1);
    let reply: Reply = serde_json::from_slice(&sent[..sent.len() - 1]).expect("a reply");
    let error = reply.error.expect("an error");
    assert_eq!(&Denial::from_wire(&error, &reply.parameters), denial);
    let sentence = denial.sentence();
    assert!(!sentence.is_empty() && !sentence.chars().any(char::is_control), "{sentence:?}");
}
