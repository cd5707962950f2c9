//! A Varlink connection: bytes and file descriptors in, messages out.
//! It reads no message; that is `crate::request::message`'s.
//! Rules: unix(7) (`SCM_RIGHTS`), cmsg(3). Descriptors belong to the message whose bytes they came with.

use crate::request::Denial;
use crate::request::message::Stream;
use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::time::{Duration, Instant};

/// More descriptors than any message has; the kernel closes what is beyond, and says so.
const DESCRIPTORS: usize = 4;
const PIECE: usize = 16 << 10;

/// A message with what came along.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) message: Vec<u8>,
    pub(super) descriptors: Vec<OwnedFd>,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Wire {
    socket: OwnedFd,
    stream: Stream,
    descriptors: Vec<OwnedFd>,
    /// How long a message may take to come; none is for ever.
    patience: Option<Duration>,
}

impl Wire {
    pub(super) fn new(socket: OwnedFd, patience: Option<Duration>) -> Self {
        Self { socket, stream: Stream::default(), descriptors: Vec::new(), patience }
    }

    /// The next message; none when the other side is done. An error ends the connection.
    pub(super) fn receive(&mut self) -> Result<Option<Incoming>, Denial> {
        let end = self.patience.map(|patience| Instant::now() + patience);
        loop {
            if let Some(message) = self.stream.next_message()? {
                return Ok(Some(Incoming { message, descriptors: std::mem::take(&mut self.descriptors) }));
            }
            self.wait(end)?;
            let mut bytes = [0; PIECE];
            match self.piece(&mut bytes)? {
                0 if self.stream.is_empty() => return Ok(None),
                0 => return Err(Denial::refused("the connection ended within a message")),
                length => self.stream.push(&bytes[..length]),
            }
        }
    }

    fn wait(&self, end: Option<Instant>) -> Result<(), Denial> {
        let Some(end) = end else { return Ok(()) };
        let left = end.saturating_duration_since(Instant::now());
        let left =
            Timespec { tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX), tv_nsec: left.subsec_nanos().into() };
        let mut polled = [PollFd::new(&self.socket, PollFlags::IN)];
        match poll(&mut polled, Some(&left)) {
            Ok(0) => Err(Denial::refused("nothing came in time")),
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(Denial::Failed(format!("waiting for a message: {errno}"))),
        }
    }

    fn piece(&mut self, bytes: &mut [u8]) -> Result<usize, Denial> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = loop {
            match recvmsg(&self.socket, &mut [IoSliceMut::new(bytes)], &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
                Ok(received) => break received,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(Denial::Failed(format!("reading a message: {errno}"))),
            }
        };
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                self.descriptors.extend(descriptors);
            }
        }
        match received.flags.contains(ReturnFlags::CTRUNC) || self.descriptors.len() > DESCRIPTORS {
            true => Err(Denial::refused("too many file descriptors came along")),
            false => Ok(received.bytes),
        }
    }

    /// Sends a message. Who no longer listens is told nothing more.
    pub(super) fn send(&mut self, message: &[u8], descriptors: &[BorrowedFd<'_>]) -> Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
            anyhow::bail!("too many file descriptors to send");
        }
        let mut rest = message;
        while !rest.is_empty() {
            match sendmsg(self.socket.as_fd(), &[IoSlice::new(rest)], &mut ancillary, SendFlags::NOSIGNAL) {
                Ok(sent) => rest = &rest[sent..],
                Err(Errno::INTR) => {}
                Err(Errno::PIPE | Errno::CONNRESET) => return Ok(()),
                Err(error) => return Err(error).context("sending a message"),
            }
            ancillary.clear();
        }
        Ok(())
    }
}
