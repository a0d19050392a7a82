//! An object as indented JSON with the fields of a Go struct: every field in its order, empty ones too.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::Value;

/// The types, one a line. Each field is its name, the name in JSON where that does not follow from it (`=json`), and
/// what is shown of it: `"` a text, `!` a switch, `%` a number and `#` a quantity, empty ones included; `-` any value or
/// null; `.`, `*` and `[` an object of a type, one or null, or a list of them. A trailing `?` leaves out what is empty.
static LAYOUT: LazyLock<HashMap<&str, Vec<Field>>> = LazyLock::new(|| {
    let types = include_str!("layout.txt")
        .lines()
        .filter_map(|line| line.split_once(": "));
    types
        .map(|(name, fields)| (name, fields.split(' ').filter_map(Field::parse).collect()))
        .collect()
});

const SIGNS: [char; 8] = ['"', '!', '%', '#', '-', '.', '*', '['];

struct Field {
    name: &'static str,
    json: String,
    shown: char,
    /// The name of the type of `.`, `*` and `[`.
    ty: &'static str,
    omits_empty: bool,
}

impl Field {
    fn parse(text: &'static str) -> Option<Self> {
        let (text, omits_empty) = text.strip_suffix('?').map_or((text, false), |text| (text, true));
        let at = text.find(SIGNS)?;
        let (names, shown) = text.split_at_checked(at)?;
        let (name, json) = match names.split_once('=') {
            Some((name, json)) => (name, json.to_owned()),
            None => (names, lower_first(names)),
        };
        Some(Self {
            name,
            json,
            shown: shown.chars().next()?,
            ty: shown.get(1..)?,
            omits_empty,
        })
    }
}

fn lower_first(name: &str) -> String {
    let mut chars = name.chars();
    let first = chars.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(chars).collect()
}

/// The lines of a value of a type.
pub(super) fn lines(ty: &str, value: &Value) -> Vec<String> {
    let mut out = Vec::new();
    write_struct(&mut out, 0, "", ty, value);
    out
}

/// Appends an object of a type; `lead` is what stands before it in its first line.
fn write_struct(out: &mut Vec<String>, depth: usize, lead: &str, ty: &str, value: &Value) {
    let fields = LAYOUT.get(ty).map(Vec::as_slice).unwrap_or_default();
    let present = |field: &&Field| !field.omits_empty || !is_empty(&value[&field.json]);
    let fields: Vec<&Field> = fields.iter().filter(present).collect();
    block(out, depth, lead, ('{', '}'), &fields, |out, field| {
        let lead = format!("{}: ", text(field.name));
        let value = &value[&field.json];
        match (field.shown, value) {
            ('.', value) => write_struct(out, depth + 1, &lead, field.ty, value),
            ('*' | '[' | '-', Value::Null) => write_value(out, depth + 1, &lead, &Value::Null),
            ('*', value) => write_struct(out, depth + 1, &lead, field.ty, value),
            ('[', Value::Array(elements)) => block(out, depth + 1, &lead, ('[', ']'), elements, |out, element| {
                write_struct(out, depth + 2, "", field.ty, element);
            }),
            ('"', Value::Null) => write_value(out, depth + 1, &lead, &"".into()),
            ('!', Value::Null) => write_value(out, depth + 1, &lead, &false.into()),
            ('%', Value::Null) => write_value(out, depth + 1, &lead, &0.into()),
            ('#', Value::Null) => write_value(out, depth + 1, &lead, &"0".into()),
            (_, value) => write_value(out, depth + 1, &lead, value),
        }
    });
}

fn write_value(out: &mut Vec<String>, depth: usize, lead: &str, value: &Value) {
    match value {
        Value::Object(members) => {
            let members: Vec<_> = members.iter().collect();
            block(out, depth, lead, ('{', '}'), &members, |out, (name, value)| {
                write_value(out, depth + 1, &format!("{}: ", text(name)), value);
            });
        }
        Value::Array(elements) => block(out, depth, lead, ('[', ']'), elements, |out, element| {
            write_value(out, depth + 1, "", element);
        }),
        Value::String(string) => line(out, depth, &format!("{lead}{}", text(string))),
        other => line(out, depth, &format!("{lead}{other}")),
    }
}

/// Appends what stands between two brackets, each part in lines of its own.
fn block<T>(
    out: &mut Vec<String>,
    depth: usize,
    lead: &str,
    (open, close): (char, char),
    parts: &[T],
    mut write: impl FnMut(&mut Vec<String>, &T),
) {
    if parts.is_empty() {
        return line(out, depth, &format!("{lead}{open}{close}"));
    }
    line(out, depth, &format!("{lead}{open}"));
    for (index, part) in parts.iter().enumerate() {
        write(out, part);
        if index + 1 < parts.len()
            && let Some(last) = out.last_mut()
        {
            last.push(',');
        }
    }
    line(out, depth, &close.to_string());
}

fn line(out: &mut Vec<String>, depth: usize, text: &str) {
    out.push(format!("{}{text}", " ".repeat(depth)));
}

/// A JSON string as Go writes it.
fn text(string: &str) -> String {
    let json = Value::from(string).to_string();
    let escaped = [
        ('<', "\\u003c"),
        ('>', "\\u003e"),
        ('&', "\\u0026"),
        ('\u{2028}', "\\u2028"),
        ('\u{2029}', "\\u2029"),
    ];
    escaped.iter().fold(json, |json, (c, escape)| json.replace(*c, escape))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(elements) => elements.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(true) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_type_that_a_field_names_is_there() {
        for (name, fields) in LAYOUT.iter() {
            assert!(!fields.is_empty() || *name == "FieldsV1", "{name}");
            for field in fields {
                assert!(SIGNS.contains(&field.shown), "{name}.{}", field.name);
                let is_type = ".*[".contains(field.shown);
                assert_eq!(is_type, !field.ty.is_empty(), "{name}.{}", field.name);
                assert!(
                    !is_type || LAYOUT.contains_key(field.ty),
                    "{name}.{}: {}",
                    field.name,
                    field.ty
                );
            }
        }
    }

    #[test]
    fn fields_that_are_not_there_are_shown_empty() {
        let port = json!({ "containerPort": 80, "protocol": "TCP" });
        assert_eq!(
            lines("ContainerPort", &port).join("\n"),
            "{\n \"Name\": \"\",\n \"HostPort\": 0,\n \"ContainerPort\": 80,\n \"Protocol\": \"TCP\",\n \"HostIP\": \"\"\n}"
        );
    }
}
