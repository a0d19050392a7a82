//! The help text, laid out as kube-apiserver's.

use std::fmt::Write as _;

use super::{Flag, FlagSet, NamedFlagSets};

impl NamedFlagSets<'_> {
    /// What the program is for, how it is called, and the flags of each group in alphabetical order.
    pub fn help(&self, about: &str, usage: &str) -> String {
        let mut text = format!("{about}\n\nUsage:\n  {usage}\n");
        for set in self.0.iter().filter(|set| set.shown().next().is_some()) {
            text.push('\n');
            set.write_help(&mut text);
        }
        text
    }
}

impl<'a> FlagSet<'a> {
    fn shown(&self) -> impl Iterator<Item = &Flag<'a>> {
        self.flags.iter().filter(|flag| flag.deprecated.is_none())
    }

    fn write_help(&self, text: &mut String) {
        let mut letters = self.name.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        let title: String = first.into_iter().chain(letters).collect();
        let _ = writeln!(text, "{title} flags:\n");
        let mut flags: Vec<(String, &Flag<'_>)> = self.shown().map(|flag| (flag.head(), flag)).collect();
        flags.sort_by_key(|(_, flag)| flag.name);
        let width = flags.iter().map(|(head, _)| head.len()).max().unwrap_or_default() + 3;
        for (head, flag) in flags {
            let usage = flag.usage.replace('\n', &format!("\n{:width$}", ""));
            let _ = writeln!(text, "{head:width$}{usage}{}", flag.shown_default());
        }
    }
}

impl Flag<'_> {
    /// The flag with its type: `      --secure-port int`.
    fn head(&self) -> String {
        let mut head = match self.shorthand {
            Some(letter) => format!("  -{letter}, --{}", self.name),
            None => format!("      --{}", self.name),
        };
        let kind = self.value.type_name();
        if !kind.is_empty() {
            let _ = write!(head, " {kind}");
        }
        if let Some(value) = self.value.without_text().filter(|_| !kind.is_empty()) {
            let _ = write!(head, "[={value}]");
        }
        head
    }

    fn shown_default(&self) -> String {
        match (self.default.as_str(), self.value.type_name()) {
            ("" | "false" | "0" | "0s", _) | ("[]", "strings" | "stringArray") => String::new(),
            (default, "string") => format!(" (default {default:?})"),
            (default, _) => format!(" (default {default})"),
        }
    }
}
