//! The types that flags have.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::field_error::quote;

/// An option that a flag sets from text.
pub trait Value {
    /// Takes the text; `first` says that the flag was not given before, so that a list drops its default.
    fn set(&mut self, text: &str, first: bool) -> Result<(), String>;

    /// The value as text: empty for none, lists in brackets.
    fn text(&self) -> String;

    /// The name of the type in the help text.
    fn type_name(&self) -> &'static str;

    /// What the flag means without a value; `None` where it needs one.
    fn without_text(&self) -> Option<&'static str> {
        None
    }
}

impl Value for bool {
    fn set(&mut self, text: &str, _: bool) -> Result<(), String> {
        let value = crate::endpoints::parse_bool(text);
        *self = value.ok_or_else(|| invalid_syntax("ParseBool", text))?;
        Ok(())
    }

    fn text(&self) -> String {
        self.to_string()
    }

    fn type_name(&self) -> &'static str {
        ""
    }

    fn without_text(&self) -> Option<&'static str> {
        Some("true")
    }
}

impl Value for i64 {
    fn set(&mut self, text: &str, _: bool) -> Result<(), String> {
        *self = text.parse().map_err(|_| invalid_syntax("ParseInt", text))?;
        Ok(())
    }

    fn text(&self) -> String {
        self.to_string()
    }

    fn type_name(&self) -> &'static str {
        "int"
    }
}

impl Value for f64 {
    fn set(&mut self, text: &str, _: bool) -> Result<(), String> {
        *self = text.parse().map_err(|_| invalid_syntax("ParseFloat", text))?;
        Ok(())
    }

    fn text(&self) -> String {
        self.to_string()
    }

    fn type_name(&self) -> &'static str {
        "float"
    }
}

impl Value for String {
    fn set(&mut self, text: &str, _: bool) -> Result<(), String> {
        text.clone_into(self);
        Ok(())
    }

    fn text(&self) -> String {
        self.clone()
    }

    fn type_name(&self) -> &'static str {
        "string"
    }
}

impl Value for Option<PathBuf> {
    fn set(&mut self, text: &str, _: bool) -> Result<(), String> {
        *self = (!text.is_empty()).then(|| PathBuf::from(text));
        Ok(())
    }

    fn text(&self) -> String {
        self.as_ref().map(|path| path.display().to_string()).unwrap_or_default()
    }

    fn type_name(&self) -> &'static str {
        "string"
    }
}

impl Value for IpAddr {
    fn set(&mut self, text: &str, _: bool) -> Result<(), String> {
        *self = parse_ip(text)?;
        Ok(())
    }

    fn text(&self) -> String {
        self.to_string()
    }

    fn type_name(&self) -> &'static str {
        "ip"
    }
}

impl Value for Option<IpAddr> {
    fn set(&mut self, text: &str, _: bool) -> Result<(), String> {
        *self = if text.is_empty() { None } else { Some(parse_ip(text)?) };
        Ok(())
    }

    fn text(&self) -> String {
        self.map(|ip| ip.to_string()).unwrap_or_default()
    }

    fn type_name(&self) -> &'static str {
        "ip"
    }
}

impl Value for Duration {
    fn set(&mut self, text: &str, _: bool) -> Result<(), String> {
        *self = crate::go_duration::parse(text)?;
        Ok(())
    }

    fn text(&self) -> String {
        crate::go_duration::text(*self)
    }

    fn type_name(&self) -> &'static str {
        "duration"
    }
}

/// Commas separate the items of one text; the flag may be given several times.
impl Value for Vec<String> {
    fn set(&mut self, text: &str, first: bool) -> Result<(), String> {
        if first {
            self.clear();
        }
        self.extend(text.split(',').filter(|item| !item.is_empty()).map(str::to_owned));
        Ok(())
    }

    fn text(&self) -> String {
        format!("[{}]", self.join(","))
    }

    fn type_name(&self) -> &'static str {
        "strings"
    }
}

/// Values of a flag that may be given several times; a comma is part of a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StringArray(pub Vec<String>);

impl Value for StringArray {
    fn set(&mut self, text: &str, first: bool) -> Result<(), String> {
        if first {
            self.0.clear();
        }
        self.0.push(text.to_owned());
        Ok(())
    }

    fn text(&self) -> String {
        self.0.text()
    }

    fn type_name(&self) -> &'static str {
        "stringArray"
    }
}

fn parse_ip(text: &str) -> Result<IpAddr, String> {
    let ip = text.trim().parse();
    ip.map_err(|_| format!("failed to parse IP: {}", quote(text)))
}

fn invalid_syntax(function: &str, text: &str) -> String {
    format!("strconv.{function}: parsing {}: invalid syntax", quote(text))
}
