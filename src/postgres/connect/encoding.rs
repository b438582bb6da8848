//! Texts of databases in other encodings. `pg_stat_activity` hands over the bytes of every database as
//! they are, whatever the encoding of the one that reads; nothing may fail on them.

/// How the bytes of a database are read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// UTF-8; what is not valid is shown as U+FFFD.
    #[default]
    Utf8,
    /// ISO 8859-1
    Latin1,
    /// ISO 8859-15: as Latin 1, but for eight characters.
    Latin9,
    /// Windows-1252: as Latin 1, but for 0x80 to 0x9F.
    Windows1252,
}

const LATIN9: [(u8, char); 8] = [
    (0xA4, '€'),
    (0xA6, 'Š'),
    (0xA8, 'š'),
    (0xB4, 'Ž'),
    (0xB8, 'ž'),
    (0xBC, 'Œ'),
    (0xBD, 'œ'),
    (0xBE, 'Ÿ'),
];

/// 0x80 to 0x9F of Windows-1252.
const WINDOWS1252: [char; 32] = [
    '€', '\u{FFFD}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{FFFD}', 'Ž',
    '\u{FFFD}', '\u{FFFD}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{FFFD}',
    'ž', 'Ÿ',
];

impl Encoding {
    /// By Postgres's name (`pg_encoding_to_char`). Those without a table here are read as UTF-8.
    #[must_use]
    pub fn named(name: &str) -> Self {
        match name {
            "LATIN1" => Self::Latin1,
            "LATIN9" => Self::Latin9,
            "WIN1252" => Self::Windows1252,
            _ => Self::Utf8,
        }
    }

    /// The text. Bytes that are valid UTF-8 are taken as such in every encoding: a client that sends
    /// UTF-8 to a Latin 1 database is far more common than "Ã©" is meant.
    #[must_use]
    pub fn decode(self, bytes: &[u8]) -> String {
        match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) if self == Self::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
            Err(_) => bytes.iter().map(|&byte| self.character(byte)).collect(),
        }
    }

    fn character(self, byte: u8) -> char {
        match self {
            Self::Latin9 => LATIN9
                .iter()
                .find(|l| l.0 == byte)
                .map_or(char::from(byte), |l| l.1),
            Self::Windows1252 if (0x80..=0x9F).contains(&byte) => {
                WINDOWS1252[usize::from(byte - 0x80)]
            }
            _ => char::from(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_become_text() {
        for (encoding, bytes, expected) in [
            ("UTF8", &b"caf\xc3\xa9"[..], "café"),
            ("UTF8", b"caf\xe9", "caf\u{FFFD}"),
            ("SQL_ASCII", b"caf\xe9 \xc3", "caf\u{FFFD} \u{FFFD}"),
            ("LATIN1", b"caf\xe9", "café"),
            ("LATIN1", b"caf\xc3\xa9", "café"),
            ("LATIN9", b"\xa4\xe9", "€é"),
            ("WIN1252", b"\x80\xe9\x81", "€é\u{FFFD}"),
        ] {
            assert_eq!(
                Encoding::named(encoding).decode(bytes),
                expected,
                "{encoding}"
            );
        }
    }
}
