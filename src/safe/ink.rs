//! Our colours: the only thing that a text of ours makes a terminal do.

/// How a word stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// Bold red.
    Bad,
    /// Bold yellow.
    Doubtful,
    /// Bold green.
    Good,
    /// Bold.
    Strong,
    /// Dim.
    Faint,
}

/// What ends a colour, and what help and tables add to ours: nothing (crossterm where it meets `NO_COLOR`), the end of
/// all, underlined, no longer bold or dim, no colour.
const AROUND: [&str; 5] = ["", "0", "4", "22", "39"];

impl Ink {
    const ALL: [Self; 5] = [
        Self::Bad,
        Self::Doubtful,
        Self::Good,
        Self::Strong,
        Self::Faint,
    ];

    /// As parameters of "select graphic rendition".
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Bad => "1;31",
            Self::Doubtful => "1;33",
            Self::Good => "1;32",
            Self::Strong => "1",
            Self::Faint => "2",
        }
    }

    /// As one of 256 colours, for a cell of a table; `None`: no cell has it.
    #[must_use]
    pub const fn in_table(self) -> Option<u8> {
        match self {
            Self::Bad => Some(9),
            Self::Doubtful => Some(11),
            Self::Good | Self::Strong | Self::Faint => None,
        }
    }
}

/// Whether these parameters of "select graphic rendition" are ours.
pub(super) fn is_ours(code: &str) -> bool {
    let in_table = |ink: &Ink| {
        let number = code.strip_prefix("38;5;");
        number.is_some_and(|number| ink.in_table().is_some_and(|own| own.to_string() == number))
    };
    AROUND.contains(&code)
        || Ink::ALL
            .iter()
            .any(|ink| ink.code() == code || in_table(ink))
}
