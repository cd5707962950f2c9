//! Varlink's messages: JSON objects that end with a NUL byte, cut out of a stream, read and written.
//! It knows no method; that is `call`'s.
//! Rules: varlink.org, "Protocol"; the limit is ours, for nothing that is asked here needs a tenth of it.

use super::denial::Denial;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Longest message, without its NUL.
pub const MESSAGE_MAX: usize = 64 << 10;

/// Bytes of a stream, and the messages in it.
#[derive(Debug, Default)]
pub struct Stream {
    bytes: Vec<u8>,
}

impl Stream {
    /// Takes what came in.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole message; an error if it will be too long, whatever follows.
    pub fn next_message(&mut self) -> Result<Option<Vec<u8>>, Denial> {
        let end = self.bytes.iter().position(|byte| *byte == 0);
        if end.unwrap_or(self.bytes.len()) > MESSAGE_MAX {
            return Err(Denial::refused(format!("a message has at most {MESSAGE_MAX} bytes")));
        }
        Ok(end.map(|end| {
            let mut message: Vec<u8> = self.bytes.drain(..=end).collect();
            message.pop();
            message
        }))
    }

    /// Whether nothing is left over.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// A call as it was sent.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// The interface and the method.
    pub method: String,
    /// What the method is given.
    #[serde(default)]
    pub parameters: Option<Map<String, Value>>,
    #[serde(default)]
    oneway: Option<bool>,
    #[serde(default)]
    more: Option<bool>,
    #[serde(default)]
    upgrade: Option<bool>,
}

/// Whether a call wants an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It waits for one.
    Wanted,
    /// It does not look.
    Unwanted,
}

impl Call {
    /// Reads a message; the error says what is wrong with it.
    pub fn parse(message: &[u8]) -> Result<Self, Denial> {
        let call: Self = serde_json::from_slice(message)
            .map_err(|error| Denial::refused(format!("this is no call: {}", one_line(&error.to_string()))))?;
        if call.upgrade == Some(true) {
            return Err(Denial::refused("nothing here can be upgraded to another protocol"));
        }
        Ok(call)
    }

    /// Whether an answer is wanted. One answer is all that any method here gives, so `more` changes nothing.
    pub fn answer(&self) -> Answer {
        if self.oneway == Some(true) { Answer::Unwanted } else { Answer::Wanted }
    }
}

/// A call, for whoever asks.
pub fn call(method: &str, parameters: &Value) -> Vec<u8> {
    framed(&json!({ "method": method, "parameters": parameters }))
}

/// The answer to a call that did what it should.
pub fn reply(parameters: &Value) -> Vec<u8> {
    framed(&json!({ "parameters": parameters }))
}

/// The answer to one that did not.
pub fn refusal(denial: &Denial) -> Vec<u8> {
    framed(&json!({ "error": denial.name(), "parameters": denial.parameters() }))
}

/// What came back.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Reply {
    /// The error's name, if it is one.
    #[serde(default)]
    pub error: Option<String>,
    /// What is told.
    #[serde(default)]
    pub parameters: Map<String, Value>,
}

fn framed(value: &Value) -> Vec<u8> {
    let mut bytes = value.to_string().into_bytes();
    bytes.push(0);
    bytes
}

/// What a message of a parser's becomes in ours.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_cut_at_their_ends_however_they_come() {
        let mut stream = Stream::default();
        stream.push(b"{\"method\":\"a.B\"}\0{\"met");
        assert_eq!(stream.next_message(), Ok(Some(b"{\"method\":\"a.B\"}".to_vec())));
        assert_eq!(stream.next_message(), Ok(None));
        stream.push(b"hod\":\"c.D\"}\0");
        assert_eq!(stream.next_message(), Ok(Some(b"{\"method\":\"c.D\"}".to_vec())));
        assert!(stream.is_empty());
    }

    #[test]
    fn a_message_that_never_ends_is_refused_while_it_comes() {
        let mut stream = Stream::default();
        stream.push(&vec![b' '; MESSAGE_MAX]);
        assert_eq!(stream.next_message(), Ok(None));
        stream.push(b" ");
        assert!(stream.next_message().is_err());
    }

    #[test]
    fn what_is_no_call_is_refused() {
        for bad in [
            "",
            "[]",
            "null",
            "{}",
            "{\"method\":1}",
            "{\"method\":\"a\",\"method\":\"b\"}",
            "{\"method\":\"a\",\"x\":1}",
            "{\"method\":\"a\",\"parameters\":[]}",
            "{\"method\":\"a\"} x",
            "{\"method\":\"a\",\"upgrade\":true}",
            "\u{feff}{\"method\":\"a\"}",
        ] {
            assert!(Call::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(Call::parse(&b"[".repeat(MESSAGE_MAX)).is_err());
        assert!(Call::parse(b"{\"method\":\"\xff\"}").is_err());
    }
}
