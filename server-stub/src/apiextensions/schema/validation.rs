//! Whether an object is as its schema says, in the words of `k8s.io/kube-openapi`.
//!
//! What an update leaves as it was is not looked at again (KEP-4008).

use serde_json::{Number, Value, json};

use super::formats::has_format;
use super::{Schema, member};
use crate::field_error::FieldErrorKind;
use crate::status::FieldError;

/// The field of an error that no field stands for.
pub(crate) const NO_FIELD: &str = "<nil>";

impl Schema {
    /// What is wrong with a value; `old` is what it replaces. `path` is how messages name it.
    pub(crate) fn validate(&self, value: &Value, old: Option<&Value>, path: &str) -> Vec<FieldError> {
        let mut check = Check::default();
        check.value(self, value, old, path);
        check.errors
    }
}

#[derive(Default)]
struct Check {
    errors: Vec<FieldError>,
}

impl Check {
    fn value(&mut self, schema: &Schema, value: &Value, old: Option<&Value>, path: &str) {
        if old == Some(value) {
            return;
        }
        self.kind(schema, value, path);
        self.combinations(schema, value, path);
        let limits = &schema.limits;
        if !limits.enumeration.is_empty() && !limits.enumeration.iter().any(|one| same(one, value)) && !value.is_null()
        {
            let allowed: Vec<String> = limits.enumeration.iter().map(shown).collect();
            let allowed: Vec<&str> = allowed.iter().map(String::as_str).collect();
            self.errors
                .push(FieldError::not_supported(path, value.clone(), &allowed));
        }
        match value {
            Value::String(text) => self.string(schema, text, path),
            Value::Number(number) => self.number(schema, number, path),
            Value::Array(elements) => self.array(schema, elements, old, path),
            Value::Object(members) => self.object(schema, value, members.len(), old, path),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn kind(&mut self, schema: &Schema, value: &Value, path: &str) {
        let wanted = match (schema.int_or_string, &schema.ty) {
            (true, _) => "integer,string",
            (false, Some(ty)) => ty,
            (false, None) => return,
        };
        let actual = kind_of(value);
        let fits = match actual {
            "null" => schema.nullable,
            "integer" => wanted == "number" || wanted.starts_with("integer"),
            "number" if wanted == "integer" => is_whole(value) && (fits_int64(value) || schema.format.is_some()),
            actual => wanted.split(',').any(|one| one == actual),
        };
        if !fits {
            let detail = format!("{path} in body must be of type {wanted}: \"{actual}\"");
            self.errors
                .push(FieldError::type_invalid(field(path), actual.into(), detail));
        }
        if let (Some(ty), Value::Number(number)) = (schema.ty.as_deref(), value) {
            self.range(ty, schema.format.as_deref(), number, path);
        }
    }

    /// Whether a number can be had in the format of its type.
    fn range(&mut self, ty: &str, format: Option<&str>, number: &Number, path: &str) {
        let Some(value) = number.as_f64() else { return };
        let whole = Value::from(number.clone());
        let integer = is_whole(&whole) && fits_int64(&whole);
        let (fits, described) = match (ty, format) {
            ("integer", Some("int32")) => (
                integer && (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&value),
                "integer with format int32".to_owned(),
            ),
            ("integer", Some("int64")) => (integer, "integer with format int64".to_owned()),
            ("integer", _) => (integer, "integer (default format)".to_owned()),
            ("number", Some("float")) => (
                value.abs() <= f64::from(f32::MAX),
                "number with format float".to_owned(),
            ),
            _ => return,
        };
        if fits {
            return;
        }
        if format == Some("int64") && is_whole(&whole) {
            let detail = format!("{path} in body must be of type int64: \"float64\"");
            self.errors
                .push(FieldError::type_invalid(field(path), "float64".into(), detail));
        }
        self.whole(format!("Checked value must be of type {described} in {path}"));
    }

    fn string(&mut self, schema: &Schema, text: &str, path: &str) {
        let limits = &schema.limits;
        let length = text.chars().count() as u64;
        // Only the first of these is reported.
        if let Some(max) = limits.max_length.filter(|max| length > *max) {
            self.errors.push(FieldError::too_long(
                field(path),
                usize::try_from(max).unwrap_or(usize::MAX),
            ));
        } else if let Some(min) = limits.min_length.filter(|min| length < *min) {
            self.invalid(path, text.into(), format!("should be at least {min} chars long"));
        } else if let Some((pattern, Some(regex))) = &limits.pattern
            && !regex.is_match(text)
        {
            self.invalid(path, text.into(), format!("should match '{pattern}'"));
        }
        if let Some(format) = schema.format.as_deref()
            && !has_format(text, format)
        {
            let detail = format!("{path} in body must be of type {}: {}", format, Value::from(text));
            self.errors
                .push(FieldError::type_invalid(field(path), text.into(), detail));
        }
    }

    fn number(&mut self, schema: &Schema, number: &Number, path: &str) {
        let limits = &schema.limits;
        let value = number.as_f64().unwrap_or_default();
        let limit = |limit: &Option<Number>| limit.as_ref().and_then(|limit| Some((limit.as_f64()?, limit.clone())));
        let mut broken = Vec::new();
        if let Some((min, text)) = limit(&limits.minimum) {
            match limits.exclusive_minimum {
                true if value <= min => broken.push(format!("should be greater than {text}")),
                false if value < min => broken.push(format!("should be greater than or equal to {text}")),
                _ => {}
            }
        }
        if let Some((max, text)) = limit(&limits.maximum) {
            match limits.exclusive_maximum {
                true if value >= max => broken.push(format!("should be less than {text}")),
                false if value > max => broken.push(format!("should be less than or equal to {text}")),
                _ => {}
            }
        }
        if let Some((factor, text)) = limit(&limits.multiple_of)
            && factor > 0.0
            && !is_multiple(value, factor)
        {
            broken.push(format!("should be a multiple of {text}"));
        }
        for rule in broken {
            self.invalid(path, number.clone().into(), rule);
        }
    }

    fn array(&mut self, schema: &Schema, elements: &[Value], old: Option<&Value>, path: &str) {
        let limits = &schema.limits;
        let length = elements.len();
        if let Some(max) = limits.max_items.filter(|max| length as u64 > *max) {
            let max = usize::try_from(max).unwrap_or(usize::MAX);
            self.errors.push(FieldError::too_many(field(path), length, max));
        }
        if let Some(min) = limits.min_items.filter(|min| (length as u64) < *min) {
            self.invalid(path, json!(length), format!("should have at least {min} items"));
        }
        let repeated = |(index, element): (usize, &Value)| elements.iter().take(index).any(|other| other == element);
        if limits.unique_items && elements.iter().enumerate().any(repeated) {
            self.invalid(
                path,
                elements.to_vec().into(),
                "shouldn't contain duplicates".to_owned(),
            );
        }
        let Some(items) = &schema.items else { return };
        for (index, element) in elements.iter().enumerate() {
            let old = old.and_then(|old| old_element(schema, element, old));
            self.value(items, element, old, &format!("{path}[{index}]"));
        }
    }

    fn object(&mut self, schema: &Schema, value: &Value, count: usize, old: Option<&Value>, path: &str) {
        let limits = &schema.limits;
        if let Some(max) = limits.max_properties.filter(|max| count as u64 > *max) {
            let max = usize::try_from(max).unwrap_or(usize::MAX);
            self.errors.push(FieldError::too_many(field(path), count, max));
        }
        if let Some(min) = limits.min_properties.filter(|min| (count as u64) < *min) {
            self.invalid(path, json!(count), format!("should have at least {min} properties"));
        }
        for name in limits.required.iter().filter(|name| value.get(name.as_str()).is_none()) {
            self.errors.push(FieldError::required(member(path, name), ""));
        }
        for (name, value) in value.as_object().into_iter().flatten() {
            if let Some(schema) = schema.properties.get(name).or(schema.additional_schema()) {
                let old = old.and_then(|old| old.get(name));
                self.value(schema, value, old, &member(path, name));
            }
        }
    }

    fn combinations(&mut self, schema: &Schema, value: &Value, path: &str) {
        let errors_of = |schemas: &[Schema]| -> Vec<Vec<FieldError>> {
            schemas
                .iter()
                .map(|schema| schema.validate(value, None, path))
                .collect()
        };
        let quoted = Value::from(path);
        let valid = |outcomes: &[Vec<FieldError>]| outcomes.iter().filter(|errors| errors.is_empty()).count();
        let best = |outcomes: Vec<Vec<FieldError>>| outcomes.into_iter().min_by_key(Vec::len).unwrap_or_default();
        let outcomes = errors_of(&schema.any_of);
        if !outcomes.is_empty() && valid(&outcomes) == 0 {
            self.whole(format!("{quoted} must validate at least one schema (anyOf)"));
            self.errors.extend(best(outcomes));
        }
        let outcomes = errors_of(&schema.one_of);
        match valid(&outcomes) {
            _ if outcomes.is_empty() => {}
            0 => {
                self.whole(format!(
                    "{quoted} must validate one and only one schema (oneOf). Found none valid"
                ));
                self.errors.extend(best(outcomes));
            }
            1 => {}
            count => self.whole(format!(
                "{quoted} must validate one and only one schema (oneOf). Found {count} valid alternatives"
            )),
        }
        let outcomes = errors_of(&schema.all_of);
        let passed = valid(&outcomes);
        if passed < outcomes.len() {
            let none = if passed == 0 { ". None validated" } else { "" };
            self.errors.extend(outcomes.into_iter().flatten());
            self.whole(format!("{quoted} must validate all the schemas (allOf){none}"));
        }
        if schema
            .not
            .as_ref()
            .is_some_and(|not| not.validate(value, None, path).is_empty())
        {
            self.whole(format!("{quoted} must not validate the schema (not)"));
        }
    }

    fn invalid(&mut self, path: &str, value: Value, rule: String) {
        let detail = format!("{path} in body {rule}");
        self.errors.push(FieldError::invalid(field(path), value, detail));
    }

    /// An error of a combination of schemas, which kube-apiserver reports without a field.
    fn whole(&mut self, message: String) {
        self.errors.push(FieldError::invalid(NO_FIELD, "".into(), message));
    }
}

/// Whether these errors keep rules from being looked at that build on valid objects.
pub(crate) fn is_blocking(error: &FieldError) -> bool {
    matches!(
        error.kind,
        FieldErrorKind::NotSupported(_)
            | FieldErrorKind::Required
            | FieldErrorKind::TooLong
            | FieldErrorKind::TooMany(_)
            | FieldErrorKind::TypeInvalid(_)
    )
}

/// The element of the old list that an element of a list of type map replaces.
fn old_element<'a>(schema: &Schema, element: &Value, old: &'a Value) -> Option<&'a Value> {
    if schema.list_type.as_deref() != Some("map") {
        return None;
    }
    let same_keys = |other: &&Value| {
        schema
            .list_map_keys
            .iter()
            .all(|key| other.get(key) == element.get(key))
    };
    old.as_array()?.iter().find(same_keys)
}

fn field(path: &str) -> &str {
    match path {
        "" => NO_FIELD,
        path => path,
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn is_whole(value: &Value) -> bool {
    value.as_f64().is_some_and(|number| number.fract() == 0.0)
}

fn fits_int64(value: &Value) -> bool {
    // The first numbers beyond are powers of two, which floating point has exactly.
    const END: f64 = 9_223_372_036_854_775_808.0;
    value.is_i64() || value.as_f64().is_some_and(|number| (-END..END).contains(&number))
}

/// Whether one number is a whole multiple of another, as nearly as floating point can tell.
fn is_multiple(value: f64, factor: f64) -> bool {
    let times = if factor < 1.0 {
        value * (1.0 / factor)
    } else {
        value / factor
    };
    (times - times.round()).abs() <= times.abs() * f64::EPSILON * 2.0
}

/// Numbers are the same whether they were written as integers or not.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        _ => one == other,
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
