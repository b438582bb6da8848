//! Short words for times and texts in a verdict.

use chrono::TimeDelta;

/// A span as people say it: `0.4 s`, `12 s`, `25 min`, `3 h 5 min`, `5 d 2 h`.
#[must_use]
pub fn span(span: TimeDelta) -> String {
    let milliseconds = span.num_milliseconds().max(0);
    let seconds = milliseconds / 1000;
    match seconds {
        0 => format!("{milliseconds} ms"),
        1..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// A duration in milliseconds as a setting says it: `500 ms`, `1 s`, `60 s`, `5 min`.
#[must_use]
pub fn setting(milliseconds: i64) -> String {
    match milliseconds {
        ms if ms % 1000 != 0 => format!("{ms} ms"),
        ms if ms > 60_000 && ms % 60_000 == 0 => format!("{} min", ms / 60_000),
        ms => format!("{} s", ms / 1000),
    }
}

/// A statement on one line, cut to so many characters.
#[must_use]
pub fn one_line(text: &str, limit: usize) -> String {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        // A character has four bytes at most: what follows is cut away. A query can be 64 KiB long.
        if line.len() > 4 * limit {
            break;
        }
    }
    cut(&line, limit)
}

/// A line, cut to so many characters.
#[must_use]
pub fn cut(line: &str, limit: usize) -> String {
    if line.chars().count() <= limit {
        return line.to_owned();
    }
    let kept: String = line.chars().take(limit.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_people_say_them() {
        let cases = [
            (400, "400 ms"),
            (59_000, "59 s"),
            (1_529_000, "25 min"),
            (9_000_000, "2 h 30 min"),
            (432_000_000, "5 d 0 h"),
        ];
        for (milliseconds, words) in cases {
            assert_eq!(span(TimeDelta::milliseconds(milliseconds)), words);
        }
        assert_eq!(setting(60_000), "60 s");
        assert_eq!(setting(1500), "1500 ms");
        assert_eq!(setting(300_000), "5 min");
    }

    #[test]
    fn a_long_statement_is_cut_on_a_character() {
        assert_eq!(one_line("select\n  ä\tß", 40), "select ä ß");
        assert_eq!(one_line("ääääääää", 4), "äää…");
    }
}
