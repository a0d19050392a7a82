//! Label selectors: `k8s.io/apimachinery/pkg/labels`.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::SelectorError;
use super::lexer::{Context, Token, Words};
use crate::validation;

/// Requirements on labels, all of which must hold. The default selects everything.
///
/// ```
/// use kubewire_client::selector::LabelSelector;
///
/// let selector: LabelSelector = "app in (web, api),!legacy,tier=front".parse()?;
/// let labels = [("app", "web"), ("tier", "front")];
/// assert!(selector.matches(|key| labels.iter().find(|(k, _)| *k == key).map(|(_, v)| *v)));
/// assert_eq!(selector.to_string(), "app in (api,web),!legacy,tier=front");
/// # Ok::<(), kubewire_client::selector::SelectorError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector {
    requirements: Vec<LabelRequirement>,
}

/// How a requirement relates a label to its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// The label has one of the values.
    In,
    /// The label is absent or has none of the values.
    NotIn,
    /// The label has the value (`=`).
    Equals,
    /// The label has the value (`==`).
    DoubleEquals,
    /// The label is absent or has another value.
    NotEquals,
    /// The label is there.
    Exists,
    /// The label is not there.
    DoesNotExist,
    /// The label is a number above the value.
    GreaterThan,
    /// The label is a number below the value.
    LessThan,
}

/// One requirement on one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelRequirement {
    key: String,
    operator: Operator,
    /// Sorted, each once.
    values: Vec<String>,
}

impl LabelSelector {
    /// The selector that has all of the given requirements.
    pub fn new(requirements: impl IntoIterator<Item = LabelRequirement>) -> Self {
        let mut requirements: Vec<_> = requirements.into_iter().collect();
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Self { requirements }
    }

    /// Selects objects that have exactly these values for these labels.
    ///
    /// # Errors
    /// When a key or value is no valid label.
    pub fn equal_to<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, SelectorError> {
        let one = |(key, value)| LabelRequirement::new(key, Operator::Equals, [value]);
        Ok(Self::new(labels.into_iter().map(one).collect::<Result<Vec<_>, _>>()?))
    }

    /// True where every object is selected.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// The requirements, sorted by key.
    pub fn requirements(&self) -> &[LabelRequirement] {
        &self.requirements
    }

    /// Whether labels fulfil all requirements. `label` looks one up.
    pub fn matches<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.requirements.iter().all(|r| r.matches(label(&r.key)))
    }
}

impl LabelRequirement {
    /// A requirement.
    ///
    /// # Errors
    /// When the key or a value is no valid label, or the operator wants another number of values.
    pub fn new<V: Into<String>>(
        key: &str,
        operator: Operator,
        values: impl IntoIterator<Item = V>,
    ) -> Result<Self, SelectorError> {
        let values: BTreeSet<String> = values.into_iter().map(Into::into).collect();
        let values: Vec<String> = values.into_iter().collect();
        check_key(key)?;
        let wrong_count = match operator {
            Operator::In | Operator::NotIn => values
                .is_empty()
                .then_some("for 'in', 'notin' operators, values set can't be empty"),
            Operator::Equals | Operator::DoubleEquals | Operator::NotEquals => {
                (values.len() != 1).then_some("exact-match compatibility requires one single value")
            }
            Operator::Exists | Operator::DoesNotExist => {
                (!values.is_empty()).then_some("values set must be empty for exists and does not exist")
            }
            Operator::GreaterThan | Operator::LessThan => {
                (values.len() != 1).then_some("for 'Gt', 'Lt' operators, exactly one value is required")
            }
        };
        if let Some(detail) = wrong_count {
            let shown: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
            let shown = shown.join(",");
            return Err(SelectorError::new(format!(
                "values: Invalid value: [{shown}]: {detail}"
            )));
        }
        let numeric = matches!(operator, Operator::GreaterThan | Operator::LessThan);
        for (index, value) in values.iter().enumerate() {
            if numeric && value.parse::<i64>().is_err() {
                let detail = "for 'Gt', 'Lt' operators, the value must be an integer";
                return Err(SelectorError::new(format!(
                    "values[{index}]: Invalid value: {value:?}: {detail}"
                )));
            }
            let errors = validation::label_value(value);
            if !errors.is_empty() {
                let detail = errors.join("; ");
                return Err(SelectorError::new(format!(
                    "values[{index}][{key}]: Invalid value: {value:?}: {detail}"
                )));
            }
        }
        Ok(Self {
            key: key.to_owned(),
            operator,
            values,
        })
    }

    /// The label's key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// How the values are meant.
    pub fn operator(&self) -> Operator {
        self.operator
    }

    /// The values, sorted.
    pub fn values(&self) -> &[String] {
        &self.values
    }

    /// Whether a label's value (`None`: the label is not there) fulfils the requirement.
    pub fn matches(&self, label: Option<&str>) -> bool {
        let has = |label: &str| self.values.iter().any(|value| value == label);
        match self.operator {
            Operator::In | Operator::Equals | Operator::DoubleEquals => label.is_some_and(has),
            Operator::NotIn | Operator::NotEquals => !label.is_some_and(has),
            Operator::Exists => label.is_some(),
            Operator::DoesNotExist => label.is_none(),
            Operator::GreaterThan => self.compares(label, |label, value| label > value),
            Operator::LessThan => self.compares(label, |label, value| label < value),
        }
    }

    fn compares(&self, label: Option<&str>, order: fn(i64, i64) -> bool) -> bool {
        let number = |text: &str| text.parse::<i64>().ok();
        let value = self.values.first().and_then(|value| number(value));
        matches!((label.and_then(number), value), (Some(label), Some(value)) if order(label, value))
    }
}

impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, requirement) in self.requirements.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            requirement.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for LabelRequirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, values) = (&self.key, self.values.join(","));
        match self.operator {
            Operator::In => write!(f, "{key} in ({values})"),
            Operator::NotIn => write!(f, "{key} notin ({values})"),
            Operator::Equals => write!(f, "{key}={values}"),
            Operator::DoubleEquals => write!(f, "{key}=={values}"),
            Operator::NotEquals => write!(f, "{key}!={values}"),
            Operator::Exists => f.write_str(key),
            Operator::DoesNotExist => write!(f, "!{key}"),
            Operator::GreaterThan => write!(f, "{key}>{values}"),
            Operator::LessThan => write!(f, "{key}<{values}"),
        }
    }
}

impl FromStr for LabelSelector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        let mut words = Words::new(text);
        let mut requirements = Vec::new();
        loop {
            match words.peek(Context::Values) {
                (Token::Identifier | Token::Not, _) => {
                    let requirement = parse_requirement(&mut words)
                        .map_err(|error| SelectorError::new(format!("unable to parse requirement: {error}")))?;
                    requirements.push(requirement);
                    match words.next(Context::Values) {
                        (Token::End, _) => return Ok(Self::new(requirements)),
                        (Token::Comma, _) => match words.peek(Context::Values) {
                            (Token::Identifier | Token::Not, _) => {}
                            (_, found) => return Err(unexpected(found, "identifier after ','")),
                        },
                        (_, found) => return Err(unexpected(found, "',' or 'end of string'")),
                    }
                }
                (Token::End, _) => return Ok(Self::new(requirements)),
                (_, found) => return Err(unexpected(found, "!, identifier, or 'end of string'")),
            }
        }
    }
}

fn unexpected(found: &str, expected: &str) -> SelectorError {
    SelectorError::new(format!("found '{found}', expected: {expected}"))
}

fn check_key(key: &str) -> Result<(), SelectorError> {
    let errors = validation::qualified_name(key);
    match errors.is_empty() {
        true => Ok(()),
        false => {
            let detail = errors.join("; ");
            Err(SelectorError::new(format!("<nil>: Invalid value: {key:?}: {detail}")))
        }
    }
}

fn parse_requirement(words: &mut Words<'_>) -> Result<LabelRequirement, SelectorError> {
    let (mut token, mut key) = words.next(Context::Values);
    let negated = token == Token::Not;
    if negated {
        (token, key) = words.next(Context::Values);
    }
    if token != Token::Identifier {
        return Err(unexpected(key, "identifier"));
    }
    check_key(key)?;
    let none: [&str; 0] = [];
    if negated {
        return LabelRequirement::new(key, Operator::DoesNotExist, none);
    }
    if matches!(words.peek(Context::Values).0, Token::End | Token::Comma) {
        return LabelRequirement::new(key, Operator::Exists, none);
    }
    let (token, found) = words.next(Context::KeyAndOperator);
    let operator = match token {
        Token::In => Operator::In,
        Token::NotIn => Operator::NotIn,
        Token::Equals => Operator::Equals,
        Token::DoubleEquals => Operator::DoubleEquals,
        Token::NotEquals => Operator::NotEquals,
        Token::GreaterThan => Operator::GreaterThan,
        Token::LessThan => Operator::LessThan,
        _ => return Err(unexpected(found, "in, notin, =, ==, !=, gt, lt")),
    };
    match operator {
        Operator::In | Operator::NotIn => LabelRequirement::new(key, operator, parse_values(words)?),
        _ => LabelRequirement::new(key, operator, [parse_exact_value(words)?]),
    }
}

fn parse_values<'a>(words: &mut Words<'a>) -> Result<Vec<&'a str>, SelectorError> {
    let (token, found) = words.next(Context::Values);
    if token != Token::Open {
        // Upstream leaves the comma out here.
        return Err(SelectorError::new(format!("found '{found}' expected: '('")));
    }
    match words.peek(Context::Values) {
        (Token::Identifier | Token::Comma, _) => parse_list(words),
        (Token::Close, _) => {
            words.next(Context::Values);
            Ok(vec![""])
        }
        (_, found) => Err(unexpected(found, "',', ')' or identifier")),
    }
}

/// The values up to the closing parenthesis; commas without anything between them stand for an empty value.
fn parse_list<'a>(words: &mut Words<'a>) -> Result<Vec<&'a str>, SelectorError> {
    let mut values = Vec::new();
    loop {
        match words.next(Context::Values) {
            (Token::Identifier, value) => {
                values.push(value);
                match words.peek(Context::Values) {
                    (Token::Comma, _) => {}
                    (Token::Close, _) => break,
                    (_, found) => return Err(unexpected(found, "',' or ')'")),
                }
            }
            (Token::Comma, _) => {
                if values.is_empty() {
                    values.push("");
                }
                match words.peek(Context::Values).0 {
                    Token::Close => {
                        values.push("");
                        break;
                    }
                    Token::Comma => {
                        words.next(Context::Values);
                        values.push("");
                    }
                    _ => {}
                }
            }
            (_, found) => return Err(unexpected(found, "',', or identifier")),
        }
    }
    words.next(Context::Values);
    Ok(values)
}

fn parse_exact_value<'a>(words: &mut Words<'a>) -> Result<&'a str, SelectorError> {
    if matches!(words.peek(Context::Values).0, Token::End | Token::Comma) {
        return Ok("");
    }
    match words.next(Context::Values) {
        (Token::Identifier, value) => Ok(value),
        (_, found) => Err(unexpected(found, "identifier")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> LabelSelector {
        text.parse().unwrap()
    }

    fn error(text: &str) -> String {
        text.parse::<LabelSelector>().unwrap_err().to_string()
    }

    fn selects(selector: &str, labels: &[(&str, &str)]) -> bool {
        parse(selector).matches(|key| labels.iter().find(|(k, _)| *k == key).map(|(_, value)| *value))
    }

    #[test]
    fn shows_itself_in_the_usual_form() {
        for (text, shown) in [
            ("", ""),
            ("x = a , y!=b", "x=a,y!=b"),
            ("y==b,x", "x,y==b"),
            ("!x", "!x"),
            ("x in (b,a,,a)", "x in (,a,b)"),
            ("x notin ()", "x notin ()"),
            ("x in (in,notin)", "x in (in,notin)"),
            ("x>1,y<2", "x>1,y<2"),
            ("x=", "x="),
        ] {
            assert_eq!(parse(text).to_string(), shown, "{text}");
        }
    }

    #[test]
    fn selects_by_each_operator() {
        let labels = [("a", "1"), ("b", "x")];
        for selector in [
            "",
            "a",
            "!c",
            "a=1",
            "b in (x,y)",
            "b!=y",
            "c!=y",
            "c notin (x)",
            "a>0",
            "a<2",
            "a>0,b=x",
        ] {
            assert!(selects(selector, &labels), "{selector}");
        }
        for selector in [
            "c",
            "!a",
            "a=2",
            "b in (y)",
            "b!=x",
            "b notin (x)",
            "a>1",
            "a<1",
            "b>0",
            "c<5",
            "a,c",
        ] {
            assert!(!selects(selector, &labels), "{selector}");
        }
    }

    #[test]
    fn errors_are_worded_as_upstream() {
        for (text, message) in [
            (
                "a b",
                "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt",
            ),
            ("a=b,", "found '', expected: identifier after ','"),
            ("a=b c", "found 'c', expected: ',' or 'end of string'"),
            (",a", "found ',', expected: !, identifier, or 'end of string'"),
            ("a in b", "unable to parse requirement: found 'b' expected: '('"),
            ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
            ("!", "unable to parse requirement: found '', expected: identifier"),
            ("a==(", "unable to parse requirement: found '(', expected: identifier"),
            (
                "a>b",
                "unable to parse requirement: values[0]: Invalid value: \"b\": for 'Gt', 'Lt' operators, the value \
                 must be an integer",
            ),
        ] {
            assert_eq!(error(text), message);
        }
        assert!(error("-a").starts_with("unable to parse requirement: <nil>: Invalid value: \"-a\": name part must"));
        assert!(error("a=-b").starts_with("unable to parse requirement: values[0][a]: Invalid value: \"-b\": a valid"));
    }

    proptest! {
        #[test]
        fn never_panics(text in "[a-z!=<>(), in]{0,30}|.*") {
            let _ = text.parse::<LabelSelector>();
        }

        #[test]
        fn round_trips(terms in prop::collection::vec(("[a-z]{1,3}", 0..7usize, prop::collection::vec("[a-z0-9]{1,3}", 1..4)), 0..5)) {
            let requirements: Vec<_> = terms.into_iter().map(|(key, operator, values)| {
                let operator = [Operator::In, Operator::NotIn, Operator::Equals, Operator::DoubleEquals,
                    Operator::NotEquals, Operator::Exists, Operator::DoesNotExist][operator];
                let count = match operator {
                    Operator::In | Operator::NotIn => values.len(),
                    Operator::Exists | Operator::DoesNotExist => 0,
                    _ => 1,
                };
                LabelRequirement::new(&key, operator, values.into_iter().take(count)).unwrap()
            }).collect();
            let selector = LabelSelector::new(requirements);
            prop_assert_eq!(parse(&selector.to_string()), selector);
        }
    }
}
