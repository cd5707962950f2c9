//! Text as nobody should write it: what means something to systemd, to a shell, to mount(8) or to C.
//! It is the same for the same seed, so a failure can be had again; it decides nothing about what is allowed.
//! The pieces are those of systemd.syntax(7), systemd.unit(5) "Specifiers", and of each bug that was found.

/// Pieces that mean something somewhere, and that most settings can carry.
const FINE: [&str; 64] = [
    " ",
    "  ",
    "%",
    "%%",
    "%i",
    "%n",
    "%h",
    "%t",
    "$",
    "$$",
    "$HOME",
    "${PATH}",
    "\"",
    "'",
    "\\",
    "\\\\",
    "\\x41",
    "\\n",
    "\\;",
    ";",
    " ; ",
    "#",
    " #",
    "=",
    "[Service]",
    "User=root",
    "-",
    "--",
    "+",
    "!",
    "!!",
    "@",
    "|",
    ":",
    "::",
    ",",
    "*",
    "?",
    "~",
    "(",
    ")",
    "`id`",
    "<",
    ">",
    "&",
    "^",
    "{",
    "}",
    "\u{a0}",
    "\u{2028}",
    "\u{feff}",
    "\u{202e}",
    "é",
    "日本",
    "😀",
    "\u{10fffd}",
    "a",
    "b",
    "Z",
    "0",
    "9",
    "x",
    "yes",
    "..",
];
/// Pieces that some setting or other cannot carry.
const FOUL: [&str; 22] = [
    "\n",
    "\nExecStart=/bin/sh\n",
    "\r",
    "\r\n",
    "\\\n",
    "\t",
    "\0",
    "\u{1}",
    "\u{7}",
    "\u{1b}[0m",
    "\u{7f}",
    "\u{80}",
    "\u{85}",
    "\u{9f}",
    "\u{fdd0}",
    "\u{fdef}",
    "\u{fffe}",
    "\u{ffff}",
    "\u{1ffff}",
    "\u{10ffff}",
    "\n[Service]\n",
    "\\",
];

/// A source of text: splitmix64, for its brevity.
pub(crate) struct Wild(u64);

impl Wild {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// One in `n`.
    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// A text; sometimes empty, sometimes of 4 KiB.
    pub(crate) fn text(&mut self) -> String {
        let pieces = match self.below(40) {
            0 => 0,
            1 => 1500,
            _ => 1 + self.below(9),
        };
        self.pieces(pieces, 4096)
    }

    fn pieces(&mut self, count: usize, longest: usize) -> String {
        let foul = self.one_in(8);
        let mut text = String::new();
        for _ in 0..count {
            let piece = if foul && self.one_in(4) { self.pick(&FOUL) } else { self.pick(&FINE) };
            if text.len() + piece.len() > longest {
                break;
            }
            text.push_str(piece);
            if self.one_in(12) {
                text.extend(char::from_u32(self.below(0x11_0000) as u32));
            }
        }
        text
    }

    /// An absolute path, more or less; sometimes as long as a path can be.
    pub(crate) fn path(&mut self) -> String {
        let parts = if self.one_in(30) { 60 } else { 1 + self.below(4) };
        let mut path = String::new();
        for _ in 0..parts {
            path.push('/');
            let pieces = 1 + self.below(6);
            path.push_str(&self.pieces(pieces, 250).replace('/', ""));
        }
        path
    }

    /// Something like an id, or not.
    pub(crate) fn id(&mut self) -> String {
        if self.one_in(10) {
            return self.text();
        }
        let letters: Vec<char> = "abcxyzABC019._-".chars().collect();
        let length = 1 + self.below(66);
        (0..length).map(|_| *self.pick(&letters)).collect()
    }
}
