//! Rules that an object breaks, in the words of `k8s.io/apimachinery/pkg/util/validation/field`.

use std::fmt;

use serde_json::Value;

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum FieldErrorKind {
    /// A reference to something that does not exist.
    NotFound(Value),
    /// The field must be set.
    Required,
    /// The value may occur once only.
    Duplicate(Value),
    /// The value breaks a rule.
    Invalid(Value),
    /// The value has the wrong JSON type.
    TypeInvalid(Value),
    /// The value is not one of a fixed set.
    NotSupported(Value),
    /// The field must not be set (here, or by this request).
    Forbidden,
    /// The text has too many bytes.
    TooLong,
    /// The list has too many elements: this many.
    TooMany(usize),
    /// The server could not check the field.
    Internal,
}

impl FieldErrorKind {
    /// The reason in a `StatusCause`.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "FieldValueNotFound",
            Self::Required => "FieldValueRequired",
            Self::Duplicate(_) => "FieldValueDuplicate",
            Self::Invalid(_) => "FieldValueInvalid",
            Self::TypeInvalid(_) => "FieldValueTypeInvalid",
            Self::NotSupported(_) => "FieldValueNotSupported",
            Self::Forbidden => "FieldValueForbidden",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany(_) => "FieldValueTooMany",
            Self::Internal => "InternalError",
        }
    }

    fn title(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "Not found",
            Self::Required => "Required value",
            Self::Duplicate(_) => "Duplicate value",
            Self::Invalid(_) | Self::TypeInvalid(_) => "Invalid value",
            Self::NotSupported(_) => "Unsupported value",
            Self::Forbidden => "Forbidden",
            Self::TooLong => "Too long",
            Self::TooMany(_) => "Too many",
            Self::Internal => "Internal error",
        }
    }

    fn value(&self) -> Option<String> {
        match self {
            Self::NotFound(v)
            | Self::Duplicate(v)
            | Self::Invalid(v)
            | Self::TypeInvalid(v)
            | Self::NotSupported(v) => Some(show(v)),
            Self::TooMany(count) => Some(count.to_string()),
            Self::Required | Self::Forbidden | Self::TooLong | Self::Internal => None,
        }
    }
}

/// One broken rule of one field.
///
/// ```
/// use kubewire_server_stub::field_error::FieldError;
///
/// let error = FieldError::invalid("spec.replicas", (-1).into(), "must be greater than or equal to 0");
/// assert_eq!(error.to_string(), "spec.replicas: Invalid value: -1: must be greater than or equal to 0");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct FieldError {
    /// What is wrong, with the offending value where it is shown.
    pub kind: FieldErrorKind,
    /// The field's path: `spec.ports[0].name`, `data[bad key]`.
    pub field: String,
    /// The rule in words, may be empty.
    pub detail: String,
    /// The value as text where it is shown otherwise than as sorted JSON.
    shown: Option<String>,
    /// Whether the value is not shown.
    hidden: bool,
}

impl FieldError {
    /// An error of any kind.
    pub fn new(kind: FieldErrorKind, field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            kind,
            field: field.into(),
            detail: detail.into(),
            shown: None,
            hidden: false,
        }
    }

    /// Shows the value as this text: some values are shown with their fields in the order of the API type.
    #[must_use]
    pub fn shown_as(mut self, text: impl Into<String>) -> Self {
        self.shown = Some(text.into());
        self
    }

    /// Leaves the value out of the message.
    #[must_use]
    pub fn without_value(mut self) -> Self {
        self.hidden = true;
        self
    }

    /// The field must be set.
    pub fn required(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(FieldErrorKind::Required, field, detail)
    }

    /// The value breaks the rule in `detail`.
    pub fn invalid(field: impl Into<String>, value: Value, detail: impl Into<String>) -> Self {
        Self::new(FieldErrorKind::Invalid(value), field, detail)
    }

    /// The value has the wrong JSON type.
    pub fn type_invalid(field: impl Into<String>, value: Value, detail: impl Into<String>) -> Self {
        Self::new(FieldErrorKind::TypeInvalid(value), field, detail)
    }

    /// The value occurs twice.
    pub fn duplicate(field: impl Into<String>, value: Value) -> Self {
        Self::new(FieldErrorKind::Duplicate(value), field, "")
    }

    /// The value names something that does not exist.
    pub fn not_found(field: impl Into<String>, value: Value) -> Self {
        Self::new(FieldErrorKind::NotFound(value), field, "")
    }

    /// The value is none of `supported`, which is listed in the given order.
    pub fn not_supported(field: impl Into<String>, value: Value, supported: &[&str]) -> Self {
        let supported: Vec<String> = supported.iter().map(|s| quote(s)).collect();
        let detail = match supported.is_empty() {
            true => String::new(),
            false => format!("supported values: {}", supported.join(", ")),
        };
        Self::new(FieldErrorKind::NotSupported(value), field, detail)
    }

    /// The field must not be set.
    pub fn forbidden(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(FieldErrorKind::Forbidden, field, detail)
    }

    /// The text is longer than `max` bytes.
    pub fn too_long(field: impl Into<String>, max: usize) -> Self {
        Self::new(
            FieldErrorKind::TooLong,
            field,
            format!("may not be more than {max} {}", plural(max, "byte")),
        )
    }

    /// The list has `count` elements and may have `max`.
    pub fn too_many(field: impl Into<String>, count: usize, max: usize) -> Self {
        Self::new(
            FieldErrorKind::TooMany(count),
            field,
            format!("must have at most {max} {}", plural(max, "item")),
        )
    }

    /// The error without the field's path: the message of a `StatusCause`.
    pub fn body(&self) -> String {
        let mut text = self.kind.title().to_owned();
        let value = self.shown.clone().or_else(|| self.kind.value());
        if let Some(value) = value.filter(|_| !self.hidden) {
            text = format!("{text}: {value}");
        }
        if !self.detail.is_empty() {
            text = format!("{text}: {}", self.detail);
        }
        text
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.body())
    }
}

/// Text in double quotes, escaped as Go's `%q` does.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            c if u32::from(c) < 0x20 || c == '\u{7f}' => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if is_invisible(c) => out.push_str(&match u32::from(c) {
                n @ ..=0xffff => format!("\\u{n:04x}"),
                n => format!("\\U{n:08x}"),
            }),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// What Go's `unicode.IsPrint` refuses, as far as it occurs in practice: control, format and exotic space characters.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || (c.is_whitespace() && c != ' ')
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e000}'..='\u{f8ff}')
}

fn show(value: &Value) -> String {
    match value {
        Value::String(text) => quote(text),
        other => escape_html(&other.to_string()),
    }
}

/// Go's JSON encoder escapes these inside strings, the only place where they can stand.
fn escape_html(json: &str) -> String {
    json.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
}

fn plural(count: usize, noun: &str) -> String {
    if count == 1 {
        noun.to_owned()
    } else {
        format!("{noun}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn wording() {
        let cases = [
            (FieldError::required("a", ""), "a: Required value"),
            (
                FieldError::invalid("a", json!("x\u{7}"), "no"),
                "a: Invalid value: \"x\\a\": no",
            ),
            (
                FieldError::invalid("a", json!({"c": "<d>"}), "no"),
                "a: Invalid value: {\"c\":\"\\u003cd\\u003e\"}: no",
            ),
            (
                FieldError::invalid("a", Value::Null, "no"),
                "a: Invalid value: null: no",
            ),
            (
                FieldError::duplicate("a[1]", json!("x")),
                "a[1]: Duplicate value: \"x\"",
            ),
            (
                FieldError::not_supported("dryRun", json!(["Some"]), &["All"]),
                "dryRun: Unsupported value: [\"Some\"]: supported values: \"All\"",
            ),
            (
                FieldError::too_long("f", 128),
                "f: Too long: may not be more than 128 bytes",
            ),
            (
                FieldError::too_many("f", 5, 3),
                "f: Too many: 5: must have at most 3 items",
            ),
            (FieldError::forbidden("f", "no"), "f: Forbidden: no"),
        ];
        for (error, text) in cases {
            assert_eq!(error.to_string(), text);
        }
    }
}
