//! Field selectors: `k8s.io/apimachinery/pkg/fields`.

use std::fmt;
use std::str::FromStr;

use super::SelectorError;

/// Requirements on fields, all of which must hold. The default selects everything.
///
/// ```
/// use kubewire_client::selector::FieldSelector;
///
/// let selector: FieldSelector = "status.phase!=Running,spec.nodeName=n1".parse()?;
/// assert!(selector.matches(|field| if field == "spec.nodeName" { "n1" } else { "" }));
/// assert_eq!(selector.required("spec.nodeName"), Some("n1"));
/// # Ok::<(), kubewire_client::selector::SelectorError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector {
    requirements: Vec<FieldRequirement>,
}

/// How a requirement relates a field to its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldOperator {
    /// The field has the value.
    Equals,
    /// The field has another value.
    NotEquals,
}

/// One requirement on one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldRequirement {
    /// The field's name as the server knows it, such as `metadata.name`.
    pub field: String,
    /// How the value is meant.
    pub operator: FieldOperator,
    /// The value, unescaped.
    pub value: String,
}

impl FieldSelector {
    /// The selector that has all of the given requirements.
    pub fn new(requirements: impl IntoIterator<Item = FieldRequirement>) -> Self {
        Self {
            requirements: requirements.into_iter().collect(),
        }
    }

    /// Selects the objects whose field has this value.
    pub fn equal_to(field: impl Into<String>, value: impl Into<String>) -> Self {
        Self::new([FieldRequirement {
            field: field.into(),
            operator: FieldOperator::Equals,
            value: value.into(),
        }])
    }

    /// True where every object is selected.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// The requirements.
    pub fn requirements(&self) -> &[FieldRequirement] {
        &self.requirements
    }

    /// The value that a field must have, where the selector says so.
    pub fn required(&self, field: &str) -> Option<&str> {
        let wanted = |r: &&FieldRequirement| r.operator == FieldOperator::Equals && r.field == field;
        self.requirements.iter().find(wanted).map(|r| r.value.as_str())
    }

    /// Whether an object's fields fulfil all requirements. `field` looks one up, empty where it is not set.
    pub fn matches<S: AsRef<str>>(&self, field: impl Fn(&str) -> S) -> bool {
        self.requirements.iter().all(|r| {
            let equal = field(&r.field).as_ref() == r.value;
            equal == (r.operator == FieldOperator::Equals)
        })
    }
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, requirement) in self.requirements.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            let operator = match requirement.operator {
                FieldOperator::Equals => "=",
                FieldOperator::NotEquals => "!=",
            };
            write!(f, "{}{operator}{}", requirement.field, escape(&requirement.value))?;
        }
        Ok(())
    }
}

impl FromStr for FieldSelector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        let mut terms = split_terms(text);
        terms.sort_unstable();
        let mut requirements = Vec::new();
        for term in terms.into_iter().filter(|term| !term.is_empty()) {
            let Some((field, operator, value)) = split_term(term) else {
                let message = format!("invalid selector: '{text}'; can't understand '{term}'");
                return Err(SelectorError::new(message));
            };
            requirements.push(FieldRequirement {
                field: field.to_owned(),
                operator,
                value: unescape(value)?,
            });
        }
        Ok(Self { requirements })
    }
}

/// The parts between commas that are not escaped.
fn split_terms(text: &str) -> Vec<&str> {
    let mut escaped = false;
    let comma = move |c: char| {
        let border = c == ',' && !escaped;
        escaped = c == '\\' && !escaped;
        border
    };
    text.split(comma).collect()
}

fn split_term(term: &str) -> Option<(&str, FieldOperator, &str)> {
    let equals = term.find('=')?;
    let at = term.find("!=").map_or(equals, |not_equals| not_equals.min(equals));
    let (field, rest) = term.split_at(at);
    let operators = [
        ("!=", FieldOperator::NotEquals),
        ("==", FieldOperator::Equals),
        ("=", FieldOperator::Equals),
    ];
    operators
        .into_iter()
        .find_map(|(literal, operator)| Some((field, operator, rest.strip_prefix(literal)?)))
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace(',', "\\,").replace('=', "\\=")
}

fn unescape(value: &str) -> Result<String, SelectorError> {
    let invalid =
        |sequence: &str| SelectorError::new(format!("invalid field selector: invalid escape sequence: {sequence}"));
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(escaped @ ('\\' | ',' | '=')) => out.push(escaped),
                Some(other) => return Err(invalid(&format!("\\{other}"))),
                None => return Err(invalid("\\")),
            },
            ',' | '=' => {
                let message = format!("invalid field selector: unescaped character in value: {}", u32::from(c));
                return Err(SelectorError::new(message));
            }
            c => out.push(c),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parses_and_shows() {
        for (text, shown) in [
            ("", ""),
            ("b==2,a!=1", "a!=1,b=2"),
            ("a=x\\,y\\=z\\\\", "a=x\\,y\\=z\\\\"),
            (",a=,", "a="),
        ] {
            assert_eq!(text.parse::<FieldSelector>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn errors_are_worded_as_upstream() {
        for (text, message) in [
            ("a", "invalid selector: 'a'; can't understand 'a'"),
            ("a=\\x", "invalid field selector: invalid escape sequence: \\x"),
            ("a=b=c", "invalid field selector: unescaped character in value: 61"),
        ] {
            assert_eq!(text.parse::<FieldSelector>().unwrap_err().to_string(), message);
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in ".*") {
            let _ = text.parse::<FieldSelector>();
        }

        #[test]
        fn round_trips(field in "[a-z.]{1,8}", value in ".*") {
            let selector = FieldSelector::equal_to(field, value);
            prop_assert_eq!(selector.to_string().parse::<FieldSelector>().unwrap(), selector);
        }
    }
}
