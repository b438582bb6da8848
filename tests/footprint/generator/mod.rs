//! Random schemas and random statements on them, from a tape of numbers: the same tape, the same SQL.
//!
//! A schema is a list of statements, of which those that fail are left out. What is then there is read
//! from the server, so that most statements made up on it run.

mod schema;
mod statement;

pub use schema::schema;
pub use statement::{Found, statement};

/// Numbers to choose by, first to last; nothing but the first choice once they are used up.
pub struct Tape<'t> {
    numbers: &'t [u16],
    next: usize,
}

impl<'t> Tape<'t> {
    /// A tape at its beginning.
    pub const fn new(numbers: &'t [u16]) -> Self {
        Self { numbers, next: 0 }
    }

    /// A number below `sides`.
    pub fn roll(&mut self, sides: usize) -> usize {
        let number = self.numbers.get(self.next).copied().unwrap_or_default();
        self.next += 1;
        usize::from(number) % sides.max(1)
    }

    /// One of a list.
    pub fn pick<'p, T: ?Sized>(&mut self, list: &[&'p T]) -> &'p T {
        list[self.roll(list.len())]
    }

    /// One in so many times.
    pub fn one_in(&mut self, sides: usize) -> bool {
        self.roll(sides) == sides - 1
    }
}
