//! A text, perhaps with parts that are only known when it runs.

use crate::migration::depth;
use crate::model::quoted;
use crate::words::sql::literal;

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// As it is.
    Known(String),
    /// Only known when it runs; with a number, so that two uses of a variable are alike.
    Hole(Form, u32),
}

/// In which form a part that is not known stands in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `%I`, `quote_ident`: one name.
    Name,
    /// `%L`, `quote_literal`: one constant.
    Literal,
    /// Anything.
    Raw,
}

/// What a variable holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text, perhaps with holes.
    Text(Text),
    /// An array.
    List(Vec<Self>),
}

impl Value {
    /// Whether it has no hole.
    #[must_use]
    pub fn is_known(&self) -> bool {
        match self {
            Self::Text(text) => text.whole().is_some(),
            Self::List(items) => items.iter().all(Self::is_known),
        }
    }

    /// A text that is known.
    #[must_use]
    pub fn known(text: &str) -> Self {
        Self::Text(Text::known(text))
    }
}

/// A text, perhaps with holes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text(pub Vec<Piece>);

impl Text {
    /// A text that is known.
    pub fn known(text: impl Into<String>) -> Self {
        Self(vec![Piece::Known(text.into())])
    }

    /// The text, where all of it is known.
    #[must_use]
    pub fn whole(&self) -> Option<String> {
        let parts = self.0.iter().map(|piece| match piece {
            Piece::Known(text) => Some(text.as_str()),
            Piece::Hole(..) => None,
        });
        parts.collect()
    }

    /// The same, as a name or a constant.
    pub fn quoted(&self, form: Form) -> Self {
        match (self.whole(), form, self.0.as_slice()) {
            (_, Form::Raw, _) => self.clone(),
            // What is glued to a name counts: `%I_key`. Words of the grammar are quoted (`quote_identifier`).
            (Some(text), Form::Name, _) => {
                let is_word = depth::parse(&format!("DROP TABLE {}", quoted(&text))).is_none();
                Self::known(match is_word {
                    true => format!("\"{text}\""),
                    false => quoted(&text),
                })
            }
            (Some(text), Form::Literal, _) => Self::known(literal(&text)),
            (None, _, [Piece::Hole(_, id)]) => Self(vec![Piece::Hole(form, *id)]),
            (None, Form::Name, _) => Self(self.inside('"')),
            (None, Form::Literal, _) => Self(self.inside('\'')),
        }
    }

    /// Known parts and holes between quotes.
    fn inside(&self, quote: char) -> Vec<Piece> {
        let twice = format!("{quote}{quote}");
        let doubled = self.0.iter().map(|piece| match piece {
            Piece::Known(text) => Piece::Known(text.replace(quote, &twice)),
            hole => hole.clone(),
        });
        let end = || std::iter::once(Piece::Known(quote.to_string()));
        end().chain(doubled).chain(end()).collect()
    }
}
