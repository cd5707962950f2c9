//! How our programs end: the numbers of sysexits(3) that we use.
//! Nothing here decides when; each refusal carries its own.
//! From `sysexits.h`, which systemd.exec(5) lists under "Process Exit Codes".

/// A program's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All went well.
    Success = 0,
    /// The machine refused something.
    Failure = 1,
    /// `EX_USAGE`: a wrong command line.
    Usage = 64,
    /// `EX_DATAERR`: the data is not what it must be.
    Data = 65,
    /// `EX_NOINPUT`: a file is missing.
    NoInput = 66,
    /// `EX_UNAVAILABLE`: a component of the machine is missing.
    Unavailable = 69,
    /// `EX_TEMPFAIL`: not now; what stands in the way was said.
    TempFail = 75,
    /// `EX_NOPERM`: it is not for this user to do.
    NoPermission = 77,
    /// `EX_CONFIG`: the configuration is wrong.
    Config = 78,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
