//! The words of a label selector.

/// One word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    End,
    Identifier,
    Open,
    Close,
    Comma,
    Not,
    Equals,
    DoubleEquals,
    NotEquals,
    GreaterThan,
    LessThan,
    In,
    NotIn,
    Error,
}

/// Where a word stands: `in` and `notin` are operators behind a key and plain text elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Context {
    KeyAndOperator,
    Values,
}

/// Words with one word of lookahead.
#[derive(Debug)]
pub(super) struct Words<'a> {
    rest: &'a str,
}

impl<'a> Words<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    pub(super) fn peek(&self, context: Context) -> (Token, &'a str) {
        let (token, literal, _) = scan(self.rest);
        (in_context(token, context), literal)
    }

    pub(super) fn next(&mut self, context: Context) -> (Token, &'a str) {
        let (token, literal, rest) = scan(self.rest);
        self.rest = rest;
        (in_context(token, context), literal)
    }
}

fn in_context(token: Token, context: Context) -> Token {
    match token {
        Token::In | Token::NotIn if context == Context::Values => Token::Identifier,
        other => other,
    }
}

/// The first word of the text, and what follows it.
fn scan(text: &str) -> (Token, &str, &str) {
    let text = text.trim_start_matches([' ', '\t', '\r', '\n']);
    let Some(first) = text.chars().next() else {
        return (Token::End, "", "");
    };
    if !is_special(first) {
        let end = text
            .find(|c| is_special(c) || matches!(c, ' ' | '\t' | '\r' | '\n'))
            .unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        let token = match word {
            "in" => Token::In,
            "notin" => Token::NotIn,
            _ => Token::Identifier,
        };
        return (token, word, rest);
    }
    let known = [
        ("==", Token::DoubleEquals),
        ("!=", Token::NotEquals),
        ("=", Token::Equals),
        ("!", Token::Not),
        ("(", Token::Open),
        (")", Token::Close),
        (",", Token::Comma),
        (">", Token::GreaterThan),
        ("<", Token::LessThan),
    ];
    let word = known.into_iter().find(|(literal, _)| text.starts_with(literal));
    let (literal, token) = word.unwrap_or(("", Token::Error));
    let (word, rest) = text.split_at(literal.len());
    (token, word, rest)
}

fn is_special(c: char) -> bool {
    matches!(c, '=' | '!' | '(' | ')' | ',' | '>' | '<')
}
