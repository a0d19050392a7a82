//! YAML as `sigs.k8s.io/yaml` writes it: sorted keys, sequences as deep as their key, lines folded after 80 columns.
//!
//! Clients diff and store what they get, so every choice of libyaml's emitter is repeated here: when a scalar stays
//! plain, when it is quoted and how, where a long line breaks.

mod resolve;
mod scalar;

use std::cmp::Ordering;

use serde_json::{Map, Number, Value};

use resolve::is_text;
use scalar::{Analysis, is_break};

/// A scalar that reaches beyond this column goes on in the next line, at the next space.
const BEST_WIDTH: usize = 80;
/// How much deeper each level is.
const STEP: usize = 2;
/// A longer key gets a line of its own.
const LONGEST_SIMPLE_KEY: usize = 128;

/// Writes a document.
pub fn to_string(document: &Value) -> String {
    let mut emitter = Emitter::default();
    match document {
        Value::Object(map) if !map.is_empty() => emitter.mapping(map, 0),
        Value::Array(items) if !items.is_empty() => emitter.sequence(items, 0),
        scalar => emitter.scalar(scalar, STEP),
    }
    emitter.out.push('\n');
    emitter.out
}

/// The text so far and the place in it.
struct Emitter {
    out: String,
    column: usize,
    /// Nothing but indentation and `-` is in this line.
    fresh: bool,
}

impl Default for Emitter {
    fn default() -> Self {
        Self {
            out: String::new(),
            column: 0,
            fresh: true,
        }
    }
}

impl Emitter {
    fn mapping(&mut self, map: &Map<String, Value>, indent: usize) {
        let mut entries: Vec<_> = map.iter().collect();
        entries.sort_by(|(a, _), (b, _)| natural_order(a, b));
        for (key, value) in entries {
            self.line(indent);
            if key.len() <= LONGEST_SIMPLE_KEY && !key.contains(is_break) {
                self.key(key);
            } else {
                self.put("? ");
                self.text(key, indent + STEP);
                self.line(indent);
            }
            self.put(":");
            match value {
                Value::Object(map) if !map.is_empty() => self.mapping(map, indent + STEP),
                Value::Array(items) if !items.is_empty() => self.sequence(items, indent),
                scalar => {
                    self.put(" ");
                    self.scalar(scalar, indent + STEP);
                }
            }
        }
    }

    fn sequence(&mut self, items: &[Value], indent: usize) {
        for item in items {
            self.line(indent);
            self.put("-");
            self.fresh = true;
            match item {
                Value::Object(map) if !map.is_empty() => self.mapping(map, indent + STEP),
                Value::Array(items) if !items.is_empty() => self.sequence(items, indent + STEP),
                scalar => {
                    self.put(" ");
                    self.scalar(scalar, indent + STEP);
                }
            }
        }
    }

    fn scalar(&mut self, value: &Value, indent: usize) {
        match value {
            Value::Null => self.put("null"),
            Value::Bool(value) => self.put(if *value { "true" } else { "false" }),
            Value::Number(number) => self.put(&number_text(number)),
            Value::String(text) => self.text(text, indent),
            Value::Array(_) => self.put("[]"),
            Value::Object(_) => self.put("{}"),
        }
    }

    /// A key that fits in its line; it is never folded.
    fn key(&mut self, key: &str) {
        let analysis = Analysis::of(key);
        match () {
            () if !is_text(key) => self.double_quoted(key, None),
            () if analysis.plain_allowed => self.put(key),
            () if analysis.single_quoted_allowed => self.single_quoted(key, None),
            () => self.double_quoted(key, None),
        }
    }

    fn text(&mut self, text: &str, indent: usize) {
        let analysis = Analysis::of(text);
        match () {
            () if text.contains('\n') && analysis.block_allowed => self.literal(text, indent),
            () if text.contains('\n') || !is_text(text) => self.double_quoted(text, Some(indent)),
            () if analysis.plain_allowed => self.plain(text, indent),
            () if analysis.single_quoted_allowed => self.single_quoted(text, Some(indent)),
            () => self.double_quoted(text, Some(indent)),
        }
    }

    fn plain(&mut self, text: &str, indent: usize) {
        let mut after_space = false;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            if c == ' ' && !after_space && self.column > BEST_WIDTH && chars.peek() != Some(&' ') {
                self.line(indent);
            } else {
                self.put_char(c);
            }
            after_space = c == ' ';
        }
    }

    fn single_quoted(&mut self, text: &str, fold: Option<usize>) {
        self.put("'");
        let (mut first, mut after_space) = (true, false);
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let inside = !first && chars.peek().is_some_and(|next| *next != ' ');
            match fold {
                Some(indent) if c == ' ' && !after_space && inside && self.column > BEST_WIDTH => self.line(indent),
                _ if c == '\'' => self.put("''"),
                _ => self.put_char(c),
            }
            (first, after_space) = (false, c == ' ');
        }
        self.put("'");
    }

    fn double_quoted(&mut self, text: &str, fold: Option<usize>) {
        self.put("\"");
        let (mut first, mut after_space) = (true, false);
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let next = chars.peek().copied();
            match fold {
                _ if scalar::needs_escape(c) => self.put(&scalar::escape(c)),
                Some(indent) if c == ' ' && !after_space && !first && next.is_some() && self.column > BEST_WIDTH => {
                    self.line(indent);
                    if next == Some(' ') {
                        self.put("\\");
                    }
                }
                _ => self.put_char(c),
            }
            (first, after_space) = (false, c == ' ');
        }
        self.put("\"");
    }

    /// A block of lines after `|`.
    fn literal(&mut self, text: &str, indent: usize) {
        self.put("|");
        if text.starts_with(|c| c == ' ' || is_break(c)) {
            self.put(&STEP.to_string());
        }
        let mut ends = text.chars().rev().map(is_break);
        match (ends.next(), ends.next()) {
            (Some(true), Some(false)) => {}
            (Some(true), _) => self.put("+"),
            _ => self.put("-"),
        }
        self.new_line();
        let mut at_start = true;
        for c in text.chars() {
            if c == '\n' {
                self.new_line();
            } else {
                if at_start && !is_break(c) {
                    self.pad(indent);
                }
                self.put_char(c);
            }
            at_start = is_break(c);
        }
        // The line feed that ends the text is the one that the next line begins with.
        if text.ends_with('\n') {
            self.out.pop();
        }
    }

    /// Begins a line, unless only `-` is in this one.
    fn line(&mut self, indent: usize) {
        if !self.fresh {
            self.new_line();
        }
        self.pad(indent);
    }

    fn new_line(&mut self) {
        self.out.push('\n');
        self.column = 0;
    }

    fn pad(&mut self, indent: usize) {
        while self.column < indent {
            self.put_char(' ');
        }
    }

    fn put(&mut self, text: &str) {
        text.chars().for_each(|c| self.put_char(c));
    }

    fn put_char(&mut self, c: char) {
        self.out.push(c);
        self.column += 1;
        self.fresh = false;
    }
}

/// Letters after everything else, digits by the number that they make.
fn natural_order(a: &str, b: &str) -> Ordering {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let Some(at) = a.iter().zip(&b).position(|(a, b)| a != b) else {
        return a.len().cmp(&b.len());
    };
    let (Some(&first), Some(&second)) = (a.get(at), b.get(at)) else {
        return Ordering::Equal;
    };
    match (first.is_alphabetic(), second.is_alphabetic()) {
        (true, true) => first.cmp(&second),
        (false, true) => Ordering::Less,
        (true, false) => Ordering::Greater,
        (false, false) => {
            let digits = |text: &[char]| text[at..].iter().take_while(|c| c.is_numeric()).count();
            let before = a[..at].iter().rev().take_while(|c| c.is_numeric());
            let inside = (first == '0' || second == '0') && before.into_iter().any(|c| *c != '0');
            let number = |text: &[char]| {
                let start = u64::from(inside);
                text[at..]
                    .iter()
                    .map_while(|c| c.to_digit(10))
                    .fold(start, |n, digit| n.wrapping_mul(10).wrapping_add(u64::from(digit)))
            };
            let by_number = number(&a).cmp(&number(&b));
            by_number
                .then_with(|| digits(&a).cmp(&digits(&b)))
                .then_with(|| first.cmp(&second))
        }
    }
}

/// Whole numbers as they are, others as Go's `%g`.
fn number_text(number: &Number) -> String {
    let Some(float) = number.as_f64().filter(|_| number.is_f64()) else {
        return number.to_string();
    };
    let scientific = format!("{float:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>().unwrap_or_default() {
        -4..=5 => float.to_string(),
        exponent => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
    }
}

#[cfg(test)]
mod tests;
