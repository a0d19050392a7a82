//! Command-line flags as Go's `pflag` reads them: `--flag=value`, `--flag value`, switches without a value, lists with
//! commas, underscores for dashes; in named groups for the help text.

mod help;
mod value;

pub use value::{StringArray, Value};

use crate::field_error::quote;

/// A flag of the command line, bound to the option that it sets.
pub struct Flag<'a> {
    name: &'static str,
    shorthand: Option<char>,
    usage: &'static str,
    default: String,
    changed: bool,
    /// What is said to those who give it. The help does not show such a flag.
    deprecated: Option<&'static str>,
    value: &'a mut dyn Value,
}

/// Groups of flags in the order in which the help shows them.
#[derive(Default)]
pub struct NamedFlagSets<'a>(Vec<FlagSet<'a>>);

/// The flags of one group.
pub struct FlagSet<'a> {
    name: &'static str,
    flags: Vec<Flag<'a>>,
}

/// A command line that cannot be read, in the words of `pflag`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FlagError {
    /// There is no such flag.
    #[error("unknown flag: --{0}")]
    Unknown(String),
    /// There is no flag of this letter.
    #[error("unknown shorthand flag: {letter:?} in {argument}")]
    UnknownShorthand {
        /// The letter.
        letter: char,
        /// Where it stands.
        argument: String,
    },
    /// Dashes, and no name behind them.
    #[error("bad flag syntax: {0}")]
    Syntax(String),
    /// The last argument is a flag that wants a value.
    #[error("flag needs an argument: {0}")]
    Missing(String),
    /// The value is not of the flag's type.
    #[error("invalid argument {value:?} for {flag:?} flag: {reason}")]
    Invalid {
        /// The value.
        value: String,
        /// The flag with its dashes.
        flag: String,
        /// What is wrong with the value.
        reason: String,
    },
    /// Something that is not a flag.
    #[error("{program:?} does not take any arguments, got [{}]", quoted(arguments))]
    Arguments {
        /// The program.
        program: String,
        /// What it was given.
        arguments: Vec<String>,
    },
}

impl<'a> NamedFlagSets<'a> {
    /// The group of this name, made if it is not there.
    pub fn group(&mut self, name: &'static str) -> &mut FlagSet<'a> {
        let index = self.0.iter().position(|set| set.name == name).unwrap_or(self.0.len());
        if index == self.0.len() {
            self.0.push(FlagSet {
                name,
                flags: Vec::new(),
            });
        }
        &mut self.0[index]
    }

    /// Sets the options from the arguments that follow the program's name.
    ///
    /// # Errors
    /// The first argument that cannot be read.
    pub fn parse(&mut self, program: &str, arguments: impl IntoIterator<Item = String>) -> Result<(), FlagError> {
        let mut arguments = arguments.into_iter();
        let mut others = Vec::new();
        while let Some(argument) = arguments.next() {
            if argument == "--" {
                others.extend(arguments.by_ref());
            } else if let Some(long) = argument.strip_prefix("--") {
                self.parse_long(&argument, long, &mut arguments)?;
            } else if let Some(short) = argument.strip_prefix('-').filter(|short| !short.is_empty()) {
                self.parse_short(&argument, short, &mut arguments)?;
            } else {
                others.push(argument);
            }
        }
        if others.iter().all(String::is_empty) {
            return Ok(());
        }
        Err(FlagError::Arguments {
            program: program.to_owned(),
            arguments: others,
        })
    }

    /// What is said about the deprecated flags that were given, in the words of `pflag`.
    pub fn notices(&self) -> Vec<String> {
        let given = self.flags().filter(|flag| flag.changed);
        let notice = |flag: &Flag<'_>| {
            let message = flag.deprecated?;
            Some(format!("Flag --{} has been deprecated, {message}", flag.name))
        };
        given.filter_map(notice).collect()
    }

    /// The names of the flags, and the text of each flag's value.
    pub fn values(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.flags().map(|flag| (flag.name, flag.value.text()))
    }

    fn flags(&self) -> impl Iterator<Item = &Flag<'a>> {
        self.0.iter().flat_map(|set| &set.flags)
    }

    fn find(&mut self, is_it: impl Fn(&Flag<'a>) -> bool) -> Option<&mut Flag<'a>> {
        self.0
            .iter_mut()
            .flat_map(|set| &mut set.flags)
            .find(|flag| is_it(flag))
    }

    fn parse_long(
        &mut self,
        argument: &str,
        long: &str,
        rest: &mut impl Iterator<Item = String>,
    ) -> Result<(), FlagError> {
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (long, None),
        };
        if name.is_empty() || name.starts_with('-') {
            return Err(FlagError::Syntax(argument.to_owned()));
        }
        let normalized = name.replace('_', "-");
        let flag = self.find(|flag| flag.name == normalized);
        let flag = flag.ok_or_else(|| FlagError::Unknown(name.to_owned()))?;
        let missing = || FlagError::Missing(argument.to_owned());
        let without = || flag.value.without_text().map(str::to_owned);
        let value = value.or_else(without).or_else(|| rest.next()).ok_or_else(missing)?;
        flag.set(&value)
    }

    /// `-v=4`, `-v4` and `-v 4`; switches may be joined.
    fn parse_short(
        &mut self,
        argument: &str,
        short: &str,
        rest: &mut impl Iterator<Item = String>,
    ) -> Result<(), FlagError> {
        let mut letters = short.chars();
        while let Some(letter) = letters.next() {
            let unknown = || FlagError::UnknownShorthand {
                letter,
                argument: argument.to_owned(),
            };
            let flag = self.find(|flag| flag.shorthand == Some(letter)).ok_or_else(unknown)?;
            let joined = letters.as_str();
            if let Some(value) = joined.strip_prefix('=') {
                return flag.set(value);
            }
            if let Some(value) = flag.value.without_text() {
                flag.set(value)?;
                continue;
            }
            if !joined.is_empty() {
                return flag.set(joined);
            }
            let missing = || FlagError::Missing(format!("'{letter}' in {argument}"));
            return flag.set(&rest.next().ok_or_else(missing)?);
        }
        Ok(())
    }
}

impl<'a> FlagSet<'a> {
    /// Adds a flag. The option's value is the flag's default.
    pub fn add(&mut self, name: &'static str, value: &'a mut dyn Value, usage: &'static str) {
        self.flags.push(Flag {
            name,
            shorthand: None,
            usage,
            default: value.text(),
            changed: false,
            deprecated: None,
            value,
        });
    }

    /// Keeps a flag of this group out of the help; those who give it are told why.
    pub fn deprecate(&mut self, name: &str, message: &'static str) {
        if let Some(flag) = self.flags.iter_mut().find(|flag| flag.name == name) {
            flag.deprecated = Some(message);
        }
    }

    /// Adds a flag that has a letter, too.
    pub fn add_short(&mut self, name: &'static str, letter: char, value: &'a mut dyn Value, usage: &'static str) {
        self.add(name, value, usage);
        if let Some(flag) = self.flags.last_mut() {
            flag.shorthand = Some(letter);
        }
    }
}

/// As Go writes a list of quoted texts.
fn quoted(texts: &[String]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| quote(text)).collect();
    quoted.join(" ")
}

impl Flag<'_> {
    fn set(&mut self, text: &str) -> Result<(), FlagError> {
        self.value
            .set(text, !self.changed)
            .map_err(|reason| FlagError::Invalid {
                value: text.to_owned(),
                flag: match self.shorthand {
                    Some(letter) => format!("-{letter}, --{}", self.name),
                    None => format!("--{}", self.name),
                },
                reason,
            })?;
        self.changed = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<(bool, Vec<String>, i64), FlagError> {
        let (mut switch, mut list, mut number) = (false, vec!["default".to_owned()], 0);
        let mut flags = NamedFlagSets::default();
        flags.group("generic").add("some-switch", &mut switch, "A switch.");
        flags.group("other").add("list", &mut list, "A list.");
        flags.group("other").add_short("v", 'v', &mut number, "A number.");
        flags.parse("prog", arguments.iter().map(|&argument| argument.to_owned()))?;
        drop(flags);
        Ok((switch, list, number))
    }

    #[test]
    fn all_the_ways_to_write_a_flag() {
        let list = |items: &[&str]| items.iter().map(|&item| item.to_owned()).collect::<Vec<_>>();
        assert_eq!(parse(&[]), Ok((false, list(&["default"]), 0)));
        assert_eq!(
            parse(&["--some_switch", "--list", "a,b", "--list=c", "-v=4"]),
            Ok((true, list(&["a", "b", "c"]), 4))
        );
        assert_eq!(
            parse(&["--some-switch=false", "-v", "2", ""]),
            Ok((false, list(&["default"]), 2))
        );
        assert_eq!(parse(&["--list=", "-v3", "--"]), Ok((false, list(&[]), 3)));
    }

    #[test]
    fn deprecated_flags_count_and_are_not_shown() {
        let mut switch = false;
        let mut flags = NamedFlagSets::default();
        flags.group("generic").add("old", &mut switch, "A switch.");
        flags.group("generic").deprecate("old", "use --new.");
        assert!(!flags.help("about", "usage").contains("old"));
        assert!(flags.notices().is_empty());
        flags.parse("prog", ["--old".to_owned()]).unwrap();
        assert_eq!(flags.notices(), ["Flag --old has been deprecated, use --new."]);
        drop(flags);
        assert!(switch);
    }

    #[test]
    fn arrays_take_a_value_as_it_is() {
        let mut array = StringArray(vec!["default".to_owned()]);
        let mut flags = NamedFlagSets::default();
        flags.group("generic").add("array", &mut array, "An array.");
        flags
            .parse("prog", ["--array=a,b", "--array=c"].map(str::to_owned))
            .unwrap();
        drop(flags);
        assert_eq!(array.0, ["a,b", "c"]);
        assert_eq!(array.text(), "[a,b,c]");
    }

    #[test]
    fn what_is_wrong_is_said_as_pflag_says_it() {
        let error = |arguments: &[&str]| parse(arguments).unwrap_err().to_string();
        assert_eq!(error(&["--nonsense=1"]), "unknown flag: --nonsense");
        assert_eq!(error(&["-x"]), "unknown shorthand flag: 'x' in -x");
        assert_eq!(error(&["--list"]), "flag needs an argument: --list");
        assert_eq!(error(&["-v"]), "flag needs an argument: 'v' in -v");
        assert_eq!(error(&["--=1"]), "bad flag syntax: --=1");
        assert_eq!(
            error(&["--some-switch=maybe"]),
            "invalid argument \"maybe\" for \"--some-switch\" flag: strconv.ParseBool: parsing \"maybe\": invalid syntax"
        );
        assert_eq!(
            error(&["-v", "x"]),
            "invalid argument \"x\" for \"-v, --v\" flag: strconv.ParseInt: parsing \"x\": invalid syntax"
        );
        assert_eq!(
            error(&["--", "up"]),
            "\"prog\" does not take any arguments, got [\"up\"]"
        );
    }
}
