//! The simple commands of a line of shell, as far as it takes to see which programs it runs.

use std::iter::Peekable;
use std::str::Chars;

/// The words of one command, quotes taken off.
pub(super) type Words = Vec<String>;

/// Nobody nests deeper than this on purpose.
const DEEPEST: usize = 8;

/// All simple commands in a text, those in `$(…)` and backquotes among them. Comments, redirections and their
/// files are left out.
pub(super) fn commands(text: &str) -> Vec<Words> {
    let mut reader = Reader::default();
    reader.read(text, 0);
    reader.found
}

#[derive(Default)]
struct Reader {
    found: Vec<Words>,
    words: Words,
    /// The word that is being read; `None`: between two words.
    word: Option<String>,
    /// The next word is the file of a redirection.
    is_file: bool,
}

impl Reader {
    fn read(&mut self, text: &str, depth: usize) {
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '\'' => {
                    let quoted: String = rest.by_ref().take_while(|c| *c != '\'').collect();
                    self.word().push_str(&quoted);
                }
                '"' => self.double_quoted(&mut rest, depth),
                '\\' => match rest.next() {
                    Some('\n') | None => {}
                    Some(c) => self.word().push(c),
                },
                '$' if rest.peek() == Some(&'(') => self.substitution(&mut rest, depth),
                '`' => self.backquoted(&mut rest, depth),
                '#' if self.word.is_none() => while rest.next_if(|c| *c != '\n').is_some() {},
                '<' | '>' => self.redirection(&mut rest),
                '&' if rest.peek() == Some(&'>') => {}
                ';' | '|' | '&' | '\n' | '(' | ')' => self.end_command(),
                c if c.is_whitespace() => self.end_word(),
                c => self.word().push(c),
            }
        }
        self.end_command();
    }

    fn word(&mut self) -> &mut String {
        self.word.get_or_insert_default()
    }

    fn end_word(&mut self) {
        if let Some(word) = self.word.take()
            && !std::mem::take(&mut self.is_file)
        {
            self.words.push(word);
        }
    }

    fn end_command(&mut self) {
        self.end_word();
        self.is_file = false;
        if !self.words.is_empty() {
            self.found.push(std::mem::take(&mut self.words));
        }
    }

    /// `2>`, `>>`, `>&2`, `<<<`: the number before it is no word, what follows is a file.
    fn redirection(&mut self, rest: &mut Peekable<Chars<'_>>) {
        let is_number = |word: &String| word.chars().all(|c| c.is_ascii_digit());
        self.word = self.word.take().filter(|word| !is_number(word));
        self.end_word();
        while rest.next_if(|c| ">&<|".contains(*c)).is_some() {}
        self.is_file = true;
    }

    fn double_quoted(&mut self, rest: &mut Peekable<Chars<'_>>, depth: usize) {
        self.word();
        while let Some(c) = rest.next() {
            match c {
                '"' => return,
                '\\' => {
                    if let Some(c) = rest.next() {
                        self.word().push(c);
                    }
                }
                '$' if rest.peek() == Some(&'(') => self.substitution(rest, depth),
                '`' => self.backquoted(rest, depth),
                c => self.word().push(c),
            }
        }
    }

    fn substitution(&mut self, rest: &mut Peekable<Chars<'_>>, depth: usize) {
        rest.next();
        let mut open = 1;
        let inner: String = rest
            .by_ref()
            .take_while(|c| {
                open += i32::from(*c == '(') - i32::from(*c == ')');
                open > 0
            })
            .collect();
        self.inner(&inner, depth);
    }

    fn backquoted(&mut self, rest: &mut Peekable<Chars<'_>>, depth: usize) {
        let inner: String = rest.by_ref().take_while(|c| *c != '`').collect();
        self.inner(&inner, depth);
    }

    /// What a substitution runs are commands too; what it prints is known of one that only looks a program up.
    fn inner(&mut self, text: &str, depth: usize) {
        let mut inner = Self::default();
        if depth < DEEPEST {
            inner.read(text, depth + 1);
        }
        let looked_up = match &inner.found[..] {
            [only] => match &only[..] {
                [which, name] if which == "which" => Some(name.clone()),
                [command, v, name] if command == "command" && v == "-v" => Some(name.clone()),
                _ => None,
            },
            _ => None,
        };
        self.word().push_str(&looked_up.unwrap_or_default());
        self.found.extend(inner.found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        commands(text).iter().map(|words| words.join("·")).collect()
    }

    #[test]
    fn a_line_is_split_as_a_shell_does() {
        assert_eq!(
            read("[ -x /usr/bin/x ] && /usr/bin/x -q 'a b' 2>/dev/null >> /log # and c"),
            ["[·-x·/usr/bin/x·]", "/usr/bin/x·-q·a b"]
        );
        assert_eq!(
            read("a \"b $(date +%F) c\" | gzip > \"x y\"; (d; e)"),
            ["date·+%F", "a·b  c", "gzip", "d", "e"]
        );
        assert_eq!(
            read("`which pg_dump` shop &>/dev/null &"),
            ["which·pg_dump", "pg_dump·shop"]
        );
        assert_eq!(read("echo \"a ; b\" \\; c 2>&1"), ["echo·a ; b·;·c"]);
        assert_eq!(read("a 'never closed"), ["a·never closed"]);
        assert!(read(&"$(".repeat(5000)).iter().all(String::is_empty));
    }
}
