//! When a container image says it was made, which is the one time that all its forms have in common.
//! It asks no clock: what is not said, or not as RFC 3339 has it, is 1970, and so is what lies before.
//! Source: the OCI image configuration specification, "created"; the calendar is Howard Hinnant's `days_from_civil`.

use crate::image::tree::Time;

/// The whole second at which an image was made.
pub fn epoch(created: Option<&str>) -> Time {
    let seconds = created.and_then(seconds).unwrap_or(0);
    Time { seconds: seconds.max(0), nanoseconds: 0 }
}

/// Seconds since 1970 of `2026-11-21T13:00:00.123456789+01:00`; fractions are cut off.
fn seconds(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let shape = [(4, b"-"), (7, b"-"), (10, b"Tt"), (13, b"::"), (16, b"::")] as [(usize, &[u8]); 5];
    if !shape.iter().all(|(at, wanted)| bytes.get(*at).is_some_and(|byte| wanted.contains(byte))) {
        return None;
    }
    let part = |from: usize, to: usize, most: i64| number(text.get(from..to)?, most);
    let (year, month, day) = (part(0, 4, 9999)?, part(5, 7, 12)?, part(8, 10, 31)?);
    let (hour, minute, second) = (part(11, 13, 23)?, part(14, 16, 59)?, part(17, 19, 60)?);
    if month == 0 || day == 0 {
        return None;
    }
    let ahead = offset(text.get(19..)?)?;
    Some(days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - ahead)
}

fn number(text: &str, most: i64) -> Option<i64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number <= most)
}

/// Seconds that the time is ahead of UTC, from what stands behind its seconds.
fn offset(text: &str) -> Option<i64> {
    let zone = match text.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches(|digit: char| digit.is_ascii_digit()),
        None => text,
    };
    let sign = match zone.as_bytes().first()? {
        b'Z' | b'z' if zone.len() == 1 => return Some(0),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) =
        zone[1..].split_once(':').filter(|(hours, minutes)| hours.len() == 2 && minutes.len() == 2)?;
    Some(sign * (number(hours, 23)? * 3600 + number(minutes, 59)? * 60))
}

fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March, so that a leap day ends its year.
    let year = if month <= 2 { year - 1 } else { year };
    let of_era = year.rem_euclid(400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    year.div_euclid(400) * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_date() {
        for (text, wanted) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-11-21T12:34:56Z", 1_795_264_496),
            ("2026-11-21T12:34:56.987654321Z", 1_795_264_496),
            ("2026-11-21T13:34:56.5+01:00", 1_795_264_496),
            ("2026-11-21T02:04:56-10:30", 1_795_264_496),
            ("2024-02-29T23:59:60Z", 1_709_251_200),
            ("2000-03-01T00:00:00Z", 951_868_800),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ] {
            assert_eq!(epoch(Some(text)), Time { seconds: wanted, nanoseconds: 0 }, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_after_1970_is_1970() {
        for text in [
            "",
            "0001-01-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "2026-11-21",
            "2026-11-21 12:34:56Z",
            "2026-11-21T12:34:56",
            "2026-13-21T12:34:56Z",
            "2026-00-21T12:34:56Z",
            "2026-11-21T12:34:56ZZ",
            "2026-11-21T12:34:56+1:00",
            "2026-11-21T+2:34:56Z",
            "2026-11-21T12:34:56+0é",
            "２０２６-11-21T12:34:56Z",
        ] {
            assert_eq!(epoch(Some(text)), Time::default(), "{text}");
        }
        assert_eq!(epoch(None), Time::default());
    }
}
