//! The part of JSONPath (`k8s.io/client-go/util/jsonpath`) that definitions use: `.a.b`, `['a.b']`, `[0]`, `[*]` and
//! filters such as `[?(@.type=="Ready")]`.

use serde_json::Value;

/// A parsed path.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct JsonPath(Vec<Step>);

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Member(String),
    Index(i64),
    All,
    /// Elements whose member at the path compares with the value.
    Filter(Vec<Step>, Comparison, Value),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Comparison {
    Equal,
    NotEqual,
    Exists,
}

impl JsonPath {
    /// Parses a path; `None` for what is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        steps(text).map(Self)
    }

    /// All values at the path.
    pub(crate) fn all<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        self.0.iter().fold(vec![value], |values, step| {
            values.into_iter().flat_map(|value| step.of(value)).collect()
        })
    }

    /// The first value at the path.
    pub(crate) fn first<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        self.all(value).into_iter().next()
    }
}

impl Step {
    fn of<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        match (self, value) {
            (Self::Member(name), value) => value.get(name).into_iter().collect(),
            (Self::Index(index), Value::Array(elements)) => {
                let length = i64::try_from(elements.len()).unwrap_or(i64::MAX);
                let index = if *index < 0 { length + index } else { *index };
                usize::try_from(index)
                    .ok()
                    .and_then(|index| elements.get(index))
                    .into_iter()
                    .collect()
            }
            (Self::All, Value::Array(elements)) => elements.iter().collect(),
            (Self::All, Value::Object(members)) => members.values().collect(),
            (Self::Filter(path, comparison, wanted), Value::Array(elements)) => {
                let fits = |element: &&Value| {
                    let found = JsonPath(path.clone()).first(element).cloned();
                    match comparison {
                        Comparison::Equal => found.as_ref() == Some(wanted),
                        Comparison::NotEqual => found.is_some_and(|found| found != *wanted),
                        Comparison::Exists => found.is_some(),
                    }
                };
                elements.iter().filter(fits).collect()
            }
            _ => Vec::new(),
        }
    }
}

fn steps(text: &str) -> Option<Vec<Step>> {
    let text = text.trim();
    let mut rest = text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'))
        .unwrap_or(text);
    rest = rest.strip_prefix('$').unwrap_or(rest);
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('[') {
            let end = closing_bracket(after)?;
            steps.push(bracket(after.get(..end)?)?);
            rest = after.get(end + 1..)?;
            continue;
        }
        let after = rest.strip_prefix('.')?;
        let (name, length) = name(after);
        rest = after.get(length..)?;
        match name.as_str() {
            "" if rest.starts_with('[') => {}
            "" => return None,
            "*" => steps.push(Step::All),
            _ => steps.push(Step::Member(name)),
        }
    }
    Some(steps)
}

/// A member's name, in which a backslash takes the meaning from the character after it, and how long its text is.
fn name(text: &str) -> (String, usize) {
    let (mut name, mut escaped) = (String::new(), false);
    for (index, c) in text.char_indices() {
        match c {
            '\\' if !escaped => escaped = true,
            '.' | '[' if !escaped => return (name, index),
            c => {
                name.push(c);
                escaped = false;
            }
        }
    }
    (name, text.len())
}

fn closing_bracket(text: &str) -> Option<usize> {
    let (mut depth, mut quoted) = (0_usize, None);
    for (index, c) in text.char_indices() {
        match (quoted, c) {
            (Some(quote), c) if c == quote => quoted = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quoted = Some(c),
            (None, '[') => depth += 1,
            (None, ']') if depth == 0 => return Some(index),
            (None, ']') => depth -= 1,
            _ => {}
        }
    }
    None
}

fn bracket(inner: &str) -> Option<Step> {
    let inner = inner.trim();
    if inner == "*" {
        return Some(Step::All);
    }
    if let Some(filter) = inner.strip_prefix("?(").and_then(|inner| inner.strip_suffix(')')) {
        for (sign, comparison) in [("==", Comparison::Equal), ("!=", Comparison::NotEqual)] {
            if let Some((path, value)) = filter.split_once(sign) {
                return Some(Step::Filter(filter_path(path)?, comparison, literal(value)?));
            }
        }
        return Some(Step::Filter(filter_path(filter)?, Comparison::Exists, Value::Null));
    }
    match literal(inner)? {
        Value::String(name) => Some(Step::Member(name)),
        Value::Number(index) => index.as_i64().map(Step::Index),
        _ => None,
    }
}

fn filter_path(text: &str) -> Option<Vec<Step>> {
    steps(text.trim().strip_prefix('@')?)
}

fn literal(text: &str) -> Option<Value> {
    let text = text.trim();
    let quoted = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
    match quoted {
        Some(text) => Some(text.into()),
        None => serde_json::from_str(text).ok(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(path: &str) -> Vec<Value> {
        let object = json!({
            "metadata": { "annotations": { "a.b/c": "dotted" } },
            "status": { "conditions": [{ "type": "Ready", "status": "True" }, { "type": "Other", "status": "False" }] },
        });
        JsonPath::parse(path)
            .unwrap()
            .all(&object)
            .into_iter()
            .cloned()
            .collect()
    }

    #[test]
    fn paths() {
        assert_eq!(found(".status.conditions[0].type"), ["Ready"]);
        assert_eq!(found(".status.conditions[-1].type"), ["Other"]);
        assert_eq!(found(".status.conditions[*].type"), ["Ready", "Other"]);
        assert_eq!(found(r#".status.conditions[?(@.type=="Other")].status"#), ["False"]);
        assert_eq!(found(r#"{.status.conditions[?(@.type != 'Other')].status}"#), ["True"]);
        assert_eq!(found(".metadata.annotations['a.b/c']"), ["dotted"]);
        assert_eq!(found(r".metadata.annotations.a\.b/c"), ["dotted"]);
        assert!(found(".spec.nothing").is_empty());
    }

    #[test]
    fn what_is_no_path() {
        for text in ["spec", ".a[", ".a[x]", ".a.."] {
            assert_eq!(JsonPath::parse(text), None, "{text}");
        }
    }
}
