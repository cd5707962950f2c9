//! What no file system we write can hold, or what a source said wrongly: in the same words for each.
//! It knows no layout.
//! Rules: linux/kdev_t.h, linux/limits.h.

use super::tree::Device;
use std::io;

/// Longest link (`PATH_MAX` without its closing zero byte, linux/limits.h).
const LINK_MAX: usize = 4095;

/// A device's number as file systems keep it: 12 bits for the driver, 20 for the device (`new_encode_dev`).
pub fn device_number(device: Device) -> io::Result<u32> {
    let Device { major, minor } = device;
    if major >= 1 << 12 || minor >= 1 << 20 {
        return Err(refused(format!(
            "device number {major}:{minor} is beyond what a file system holds (4095:1048575)"
        )));
    }
    Ok(minor & 0xff | major << 8 | (minor & !0xff) << 12)
}

/// The device that such a number is.
pub fn device_of(number: u32) -> Device {
    Device { major: number >> 8 & 0xfff, minor: number & 0xff | number >> 12 & 0xf_ff00 }
}

/// Checks what a link says.
pub fn check_link(target: &[u8]) -> io::Result<()> {
    if target.is_empty() || target.len() > LINK_MAX || target.contains(&0) {
        let shown = String::from_utf8_lossy(&target[..target.len().min(100)]);
        return Err(refused(format!("no link can say {shown:?}: 1 to {LINK_MAX} bytes, none zero")));
    }
    Ok(())
}

/// The error for something that cannot be written.
pub fn refused(said: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, said)
}

/// The error for a file that is not as long as was announced.
pub fn wrong_size(how: &str, size: u64) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a file's content {how} the {size} bytes that were announced"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_numbers_are_the_kernels() {
        let number = |major, minor| device_number(Device { major, minor }).ok();
        assert_eq!(number(0, 0), Some(0));
        assert_eq!(number(8, 1), Some(0x801));
        assert_eq!(number(0xfff, 0xf_ffff), Some(0xffff_ffff));
        assert_eq!(number(259, 0x12345), Some(0x1231_0345));
        assert_eq!((number(0x1000, 0), number(0, 1 << 20)), (None, None));
        for (major, minor) in [(0, 0), (8, 1), (0xfff, 0xf_ffff), (259, 0x12345)] {
            assert_eq!(number(major, minor).map(device_of), Some(Device { major, minor }));
        }
    }

    #[test]
    fn links_say_something_that_a_path_can() {
        assert!(check_link(&[1; 4095]).is_ok());
        for bad in [&b""[..], b"a\0b", &[1; 4096]] {
            assert!(check_link(bad).is_err());
        }
    }
}
