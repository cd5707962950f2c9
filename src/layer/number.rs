//! Numbers in tar headers: octal and binary fields, decimal PAX values, times with a fraction.
//! It knows no fields: whoever asks puts the field's name before the error.
//! Sources: pax(1) in POSIX, GNU tar's manual "Extensions", and how Go's archive/tar takes what writers really wrote.

use super::fault::{bad, shown};
use crate::image::tree::Time;
use std::io;

/// A field of a header: octal digits between blanks and zero bytes, or big-endian binary where the top bit is set.
pub fn field(bytes: &[u8]) -> io::Result<i64> {
    match bytes.first() {
        Some(first) if first & 0x80 != 0 => binary(bytes),
        _ => octal(bytes),
    }
}

fn octal(bytes: &[u8]) -> io::Result<i64> {
    let is_blank = |byte: &u8| matches!(byte, b' ' | 0);
    let Some(begin) = bytes.iter().position(|byte| !is_blank(byte)) else {
        return Ok(0);
    };
    let rest = &bytes[begin..];
    let digits = &rest[..rest.iter().position(is_blank).unwrap_or(rest.len())];
    digits
        .iter()
        .try_fold(0i64, |sum, digit| match digit {
            b'0'..=b'7' => sum.checked_mul(8)?.checked_add(i64::from(digit - b'0')),
            _ => None,
        })
        .ok_or_else(|| bad(format!("{:?} is no octal number", shown(digits))))
}

/// Two's complement; the first byte's top bit only marks the form, the next one is the sign.
fn binary(bytes: &[u8]) -> io::Result<i64> {
    let negative = bytes.first().is_some_and(|first| first & 0x40 != 0);
    let start = if negative { -1i128 } else { 0 };
    let mut sum = start;
    for (index, byte) in bytes.iter().enumerate() {
        let byte = if index == 0 { byte & 0x3f | (start as u8 & 0xc0) } else { *byte };
        sum = sum << 8 | i128::from(byte);
        if i64::try_from(sum).is_err() {
            return Err(bad("a binary number has more than 64 bits"));
        }
    }
    i64::try_from(sum).map_err(|_| bad("a binary number has more than 64 bits"))
}

/// A whole decimal number.
pub fn decimal(bytes: &[u8]) -> io::Result<u64> {
    let wrong = || bad(format!("{:?} is no decimal number", shown(bytes)));
    if bytes.is_empty() {
        return Err(wrong());
    }
    bytes
        .iter()
        .try_fold(0u64, |sum, digit| match digit {
            b'0'..=b'9' => sum.checked_mul(10)?.checked_add(u64::from(digit - b'0')),
            _ => None,
        })
        .ok_or_else(wrong)
}

/// A PAX time: seconds since 1970 with a sign and a fraction of any length; what is finer than a nanosecond is rounded down.
pub fn time(bytes: &[u8]) -> io::Result<Time> {
    let (negative, digits) = match bytes.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, bytes),
    };
    let dot = digits.iter().position(|byte| *byte == b'.').unwrap_or(digits.len());
    let whole = i64::try_from(decimal(&digits[..dot])?).map_err(|_| bad("a time has more than 64 bits"))?;
    let fraction = digits.get(dot + 1..).unwrap_or_default();
    if !fraction.iter().all(u8::is_ascii_digit) {
        return Err(bad(format!("{:?} is no time", shown(bytes))));
    }
    let nanoseconds = (0..9).fold(0, |sum, index| sum * 10 + u32::from(fraction.get(index).map_or(0, |d| d - b'0')));
    let finer = fraction.iter().skip(9).any(|digit| *digit != b'0');
    if !negative {
        return Ok(Time { seconds: whole, nanoseconds });
    }
    let below = nanoseconds + u32::from(finer);
    if below == 0 {
        return Ok(Time { seconds: -whole, nanoseconds: 0 });
    }
    Ok(Time { seconds: -whole - 1, nanoseconds: 1_000_000_000 - below })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_octal_or_binary() {
        let cases: [(&[u8], i64); 10] = [
            (b"0000644\0", 0o644),
            (b"    644 ", 0o644),
            (b"644 \0junk", 0o644),
            (b"\0\0\0\0", 0),
            (b"        ", 0),
            (b"77777777777\0", 0o77777777777),
            (b"\x80\0\0\0\0\0\0\x02\0\0\0\0", 2 << 32),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", -1),
            (b"\xff\xff\xff\xff\xff\xff\xff\xfe", -2),
            (b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", i64::MAX),
        ];
        for (bytes, value) in cases {
            assert_eq!(field(bytes).expect("a number"), value, "{bytes:?}");
        }
        for bytes in [
            &b"8"[..],
            b"-1",
            b"0x1",
            b"1a",
            b"\xbf\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x80\0\0\0\x80\0\0\0\0\0\0\0",
        ] {
            assert!(field(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn decimals_are_whole_and_fit() {
        assert_eq!(decimal(b"18446744073709551615").expect("a number"), u64::MAX);
        for bytes in [&b""[..], b"-1", b"+1", b" 1", b"1.5", b"18446744073709551616", b"\xff"] {
            assert!(decimal(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn times_round_down_on_both_sides_of_1970() {
        let cases: [(&[u8], i64, u32); 10] = [
            (b"0", 0, 0),
            (b"1.5", 1, 500_000_000),
            (b"1.", 1, 0),
            (b"1.0000000019", 1, 1),
            (b"-1", -1, 0),
            (b"-1.5", -2, 500_000_000),
            (b"-0.000000001", -1, 999_999_999),
            (b"-1.0000000001", -2, 999_999_999),
            (b"-0", 0, 0),
            (b"9223372036854775807", i64::MAX, 0),
        ];
        for (bytes, seconds, nanoseconds) in cases {
            assert_eq!(time(bytes).expect("a time"), Time { seconds, nanoseconds }, "{bytes:?}");
        }
        for bytes in [&b""[..], b"-", b".5", b"1.5.5", b"1e3", b"--1", b"1.-5", b"9223372036854775808"] {
            assert!(time(bytes).is_err(), "{bytes:?}");
        }
    }
}
