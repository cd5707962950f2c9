//! The kernel calls that no safe wrapper has: ioctls of loop and device-mapper, `add_key`, `SO_PEERGROUPS`.
//! It knows no app and no image; messages come in as bytes that pure code laid out, so the unsafe part is small.
//! Rules: linux/dm-ioctl.h, linux/loop.h, add_key(2). All of this project's `unsafe` is in this file.
#![allow(unsafe_code)]

use rustix::fd::BorrowedFd;
use rustix::io::{Errno, Result};
use rustix::ioctl::{Direction, Ioctl, IoctlOutput, Opcode, opcode};
use std::ffi::c_void;

/// Bytes of `struct dm_ioctl`, which is what its request numbers carry whatever follows it.
const DM_HEADER: usize = crate::verity::dm_message::HEADER;
/// `DM_IOCTL`, the device-mapper's magic.
const DM_MAGIC: u8 = 0xfd;
/// Bytes of `struct loop_config`.
pub const LOOP_CONFIG_SIZE: usize = 304;
/// Bytes of `struct loop_info64`.
pub const LOOP_INFO_SIZE: usize = 232;

/// `TIOCOUTQ`, which is `SIOCOUTQ` for sockets (unix(7)).
const TIOCOUTQ: Opcode = 0x5411;
const LOOP_CLR_FD: Opcode = 0x4c01;
const LOOP_GET_STATUS64: Opcode = 0x4c05;
const LOOP_CONFIGURE: Opcode = 0x4c0a;
const LOOP_CTL_GET_FREE: Opcode = 0x4c82;

/// A call that reads and writes a buffer.
struct Buffer<'a> {
    opcode: Opcode,
    bytes: &'a mut [u8],
}

// SAFETY: only built below, each time with a buffer of at least the size the kernel uses for that request.
unsafe impl Ioctl for Buffer<'_> {
    type Output = ();
    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        self.opcode
    }

    fn as_ptr(&mut self) -> *mut c_void {
        self.bytes.as_mut_ptr().cast()
    }

    unsafe fn output_from_ptr(_: IoctlOutput, _: *mut c_void) -> Result<()> {
        Ok(())
    }
}

/// A call without an argument, whose answer is its return value.
struct Plain(Opcode);

// SAFETY: the requests it is built with below take no argument and touch no memory of ours.
unsafe impl Ioctl for Plain {
    type Output = u32;
    const IS_MUTATING: bool = false;

    fn opcode(&self) -> Opcode {
        self.0
    }

    fn as_ptr(&mut self) -> *mut c_void {
        std::ptr::null_mut()
    }

    unsafe fn output_from_ptr(out: IoctlOutput, _: *mut c_void) -> Result<u32> {
        u32::try_from(out).map_err(|_| Errno::RANGE)
    }
}

/// How much of what was sent into a socket its other side has not taken yet (`SIOCOUTQ`); 0 is nothing.
pub fn unread(socket: BorrowedFd<'_>) -> Result<u32> {
    let mut bytes = [0; 4];
    // SAFETY: the kernel writes one int, which is what the buffer holds.
    unsafe { rustix::ioctl::ioctl(socket, Buffer { opcode: TIOCOUTQ, bytes: &mut bytes })? };
    Ok(u32::from_ne_bytes(bytes))
}

/// Sends a message to the device-mapper; its answer is in the same bytes.
///
/// Refuses a message whose header does not state the buffer's own size: the kernel writes as much as it says there.
pub fn device_mapper(control: BorrowedFd<'_>, command: u8, message: &mut [u8]) -> Result<()> {
    let stated = message.get(12..16).and_then(|size| size.try_into().ok()).map(u32::from_ne_bytes);
    if message.len() < DM_HEADER || stated.map(|size| size as usize) != Some(message.len()) {
        return Err(Errno::INVAL);
    }
    let opcode = opcode::from_components(Direction::ReadWrite, DM_MAGIC, command, DM_HEADER);
    // SAFETY: the kernel reads and writes at most as many bytes as the header states, checked to be the buffer's length.
    unsafe { rustix::ioctl::ioctl(control, Buffer { opcode, bytes: message }) }
}

/// The number of a loop device that is free now; another process may take it before us.
pub fn loop_get_free(control: BorrowedFd<'_>) -> Result<u32> {
    // SAFETY: LOOP_CTL_GET_FREE takes no argument and returns a number.
    unsafe { rustix::ioctl::ioctl(control, Plain(LOOP_CTL_GET_FREE)) }
}

/// Puts a file under a loop device: `struct loop_config` as bytes.
pub fn loop_configure(device: BorrowedFd<'_>, config: &mut [u8; LOOP_CONFIG_SIZE]) -> Result<()> {
    // SAFETY: LOOP_CONFIGURE reads one `struct loop_config`, which has exactly this size.
    unsafe { rustix::ioctl::ioctl(device, Buffer { opcode: LOOP_CONFIGURE, bytes: config }) }
}

/// What a loop device says of itself: `struct loop_info64` as bytes.
pub fn loop_status(device: BorrowedFd<'_>) -> Result<[u8; LOOP_INFO_SIZE]> {
    let mut info = [0; LOOP_INFO_SIZE];
    // SAFETY: LOOP_GET_STATUS64 writes one `struct loop_info64`, which has exactly this size.
    unsafe { rustix::ioctl::ioctl(device, Buffer { opcode: LOOP_GET_STATUS64, bytes: &mut info }) }?;
    Ok(info)
}

/// Takes the file from a loop device; if it is held, the kernel does so when it is let go.
pub fn loop_clear(device: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: LOOP_CLR_FD takes no argument.
    unsafe { rustix::ioctl::ioctl(device, Plain(LOOP_CLR_FD)) }.map(drop)
}

/// Adds a key of type "user" to this thread's keyring, where the device-mapper finds it while this thread asks.
pub fn add_thread_key(description: &std::ffi::CStr, payload: &[u8]) -> Result<()> {
    use nix::libc;
    // SAFETY: add_key(2) reads two strings that end in NUL and as many bytes of payload as it is told.
    let key = unsafe {
        libc::syscall(
            libc::SYS_add_key,
            c"user".as_ptr(),
            description.as_ptr(),
            payload.as_ptr(),
            payload.len(),
            libc::KEY_SPEC_THREAD_KEYRING,
        )
    };
    if key >= 0 { Ok(()) } else { Err(last_error()) }
}

/// Most groups of a process (`NGROUPS_MAX`, limits.h).
const GROUPS_MAX: usize = 65536;

/// The supplementary groups that the other end of a connection had when it connected (`SO_PEERGROUPS`).
pub fn peer_groups(socket: BorrowedFd<'_>) -> Result<Vec<u32>> {
    use nix::libc;
    use rustix::fd::AsRawFd as _;
    let mut groups = vec![0u32; GROUPS_MAX];
    let mut bytes = libc::socklen_t::try_from(size_of_val(groups.as_slice())).map_err(|_| Errno::RANGE)?;
    // SAFETY: the kernel writes at most as many bytes as it is told, which is what the buffer holds, and says how many.
    let done = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERGROUPS,
            groups.as_mut_ptr().cast(),
            &raw mut bytes,
        )
    };
    if done < 0 {
        return Err(last_error());
    }
    groups.truncate(bytes as usize / size_of::<u32>());
    Ok(groups)
}

fn last_error() -> Errno {
    Errno::from_raw_os_error(std::io::Error::last_os_error().raw_os_error().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fd::AsFd;

    #[test]
    fn the_numbers_are_those_of_the_headers() {
        // DM_LIST_DEVICES is 0xc138fd02 in strace's tables.
        assert_eq!(opcode::from_components(Direction::ReadWrite, DM_MAGIC, 2, DM_HEADER), 0xc138_fd02);
        assert_eq!(LOOP_CONFIG_SIZE, 4 + 4 + LOOP_INFO_SIZE + 64);
    }

    #[test]
    fn a_message_that_lies_about_its_size_never_reaches_the_kernel() {
        let null = std::fs::File::open("/dev/null").expect("/dev/null");
        let mut message = vec![0; DM_HEADER];
        assert_eq!(device_mapper(null.as_fd(), 2, &mut message), Err(Errno::INVAL));
        message[12..16].copy_from_slice(&(DM_HEADER as u32).to_ne_bytes());
        assert_eq!(device_mapper(null.as_fd(), 2, &mut message), Err(Errno::NOTTY));
        assert_eq!(device_mapper(null.as_fd(), 2, &mut []), Err(Errno::INVAL));
    }

    #[test]
    fn what_is_no_loop_device_says_so() {
        let null = std::fs::File::open("/dev/null").expect("/dev/null");
        assert_eq!(loop_get_free(null.as_fd()), Err(Errno::NOTTY));
        assert_eq!(loop_status(null.as_fd()), Err(Errno::NOTTY));
    }
}
