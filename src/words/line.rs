//! Texts on one line.

/// A statement on one line, cut to this number of characters.
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

/// A line, cut to this number of characters.
#[must_use]
pub fn cut(line: &str, limit: usize) -> String {
    if line.chars().count() <= limit {
        return line.to_owned();
    }
    let kept: String = line.chars().take(limit.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// `1 session`, `3 sessions`.
#[must_use]
pub fn many(count: usize, what: &str) -> String {
    if count == 1 {
        format!("1 {what}")
    } else {
        format!("{count} {what}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_statement_is_cut_on_a_character() {
        assert_eq!(one_line("select\n  ä\tß", 40), "select ä ß");
        assert_eq!(one_line("ääääääää", 4), "äää…");
    }

    #[test]
    fn plurals_agree() {
        assert_eq!(many(1, "run"), "1 run");
        assert_eq!(many(0, "run"), "0 runs");
    }
}
