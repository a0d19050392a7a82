//! In which styles a text can be written, and its escapes in double quotes.

/// What the characters of a text leave possible.
pub(super) struct Analysis {
    pub(super) plain_allowed: bool,
    pub(super) single_quoted_allowed: bool,
    pub(super) block_allowed: bool,
}

impl Analysis {
    pub(super) fn of(text: &str) -> Self {
        let (mut indicators, mut special, mut line_breaks) = (false, false, false);
        let (mut space_break, mut break_space) = (false, false);
        let mut previous: Option<char> = None;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let before_blank = chars.peek().is_none_or(|next| matches!(next, ' ' | '\t'));
            indicators |= match (previous, c) {
                (
                    None,
                    '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`',
                ) => true,
                (None, '?' | '-') | (_, ':') => before_blank,
                (Some(previous), '#') => matches!(previous, ' ' | '\t') || is_break(previous),
                _ => false,
            };
            special |= !is_printable(c);
            line_breaks |= is_break(c);
            space_break |= is_break(c) && previous == Some(' ');
            break_space |= c == ' ' && previous.is_some_and(is_break);
            previous = Some(c);
        }
        let edge = |c: char| c == ' ' || is_break(c);
        let at_edge = text.starts_with(edge) || text.ends_with(edge);
        let document_marker = text.starts_with("---") || text.starts_with("...");
        let opaque = space_break || special;
        Self {
            plain_allowed: !(indicators || document_marker || at_edge || line_breaks || opaque),
            single_quoted_allowed: !(break_space || opaque),
            block_allowed: !(text.ends_with(' ') || opaque || text.is_empty()),
        }
    }
}

/// What ends a line for a YAML reader.
pub(super) fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
}

/// Whether a character cannot stand for itself in double quotes.
pub(super) fn needs_escape(c: char) -> bool {
    !is_printable(c) || is_break(c) || matches!(c, '"' | '\\')
}

pub(super) fn escape(c: char) -> String {
    let short = match c {
        '\0' => '0',
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{b}' => 'v',
        '\u{c}' => 'f',
        '\r' => 'r',
        '\u{1b}' => 'e',
        '"' | '\\' => c,
        '\u{85}' => 'N',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        _ => {
            return match u32::from(c) {
                code @ ..=0xff => format!("\\x{code:02X}"),
                code @ ..=0xffff => format!("\\u{code:04X}"),
                code => format!("\\U{code:08X}"),
            };
        }
    };
    format!("\\{short}")
}
