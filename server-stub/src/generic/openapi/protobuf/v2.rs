//! The messages of OpenAPI 2 (gnostic's `openapi.v2`).

use serde_json::Value;

use super::{Form, Message, Rest};
use Form::{Any, Choice, Double, Text, Varint, Wrapped};

pub(super) static DOCUMENT: Message = Message {
    fields: &[
        ("swagger", 1, Text),
        ("info", 2, Form::Message(&INFO)),
        ("host", 3, Text),
        ("basePath", 4, Text),
        ("schemes", 5, Text),
        ("consumes", 6, Text),
        ("produces", 7, Text),
        ("paths", 8, Form::Message(&PATHS)),
        ("definitions", 9, Form::Message(&SCHEMAS)),
        ("parameters", 10, Form::Message(&PARAMETERS)),
        ("security", 12, Form::Message(&SECURITY_REQUIREMENT)),
        ("securityDefinitions", 13, Form::Message(&SECURITY_DEFINITIONS)),
    ],
    rest: Rest::Extensions(16),
};

static INFO: Message = Message {
    fields: &[("title", 1, Text), ("version", 2, Text), ("description", 3, Text)],
    rest: Rest::Extensions(7),
};

static PATHS: Message = Message {
    fields: &[],
    rest: Rest::Entries(2, &Form::Message(&PATH_ITEM)),
};

static PATH_ITEM: Message = Message {
    fields: &[
        ("$ref", 1, Text),
        ("get", 2, Form::Message(&OPERATION)),
        ("put", 3, Form::Message(&OPERATION)),
        ("post", 4, Form::Message(&OPERATION)),
        ("delete", 5, Form::Message(&OPERATION)),
        ("options", 6, Form::Message(&OPERATION)),
        ("head", 7, Form::Message(&OPERATION)),
        ("patch", 8, Form::Message(&OPERATION)),
        ("parameters", 9, Choice(parameter_or_reference)),
    ],
    rest: Rest::Extensions(10),
};

static OPERATION: Message = Message {
    fields: &[
        ("tags", 1, Text),
        ("summary", 2, Text),
        ("description", 3, Text),
        ("operationId", 5, Text),
        ("produces", 6, Text),
        ("consumes", 7, Text),
        ("parameters", 8, Choice(parameter_or_reference)),
        ("responses", 9, Form::Message(&RESPONSES)),
        ("schemes", 10, Text),
        ("deprecated", 11, Varint),
        ("security", 12, Form::Message(&SECURITY_REQUIREMENT)),
    ],
    rest: Rest::Extensions(13),
};

fn parameter_or_reference(value: &Value) -> &'static Message {
    static REFERENCE: Message = Message {
        fields: &[("$ref", 1, Text), ("description", 2, Text)],
        rest: Rest::Nothing,
    };
    static REFERRED: Message = Message::of(2, &Form::Message(&REFERENCE));
    static ITSELF: Message = Message::of(1, &Choice(parameter));
    if value.get("$ref").is_some() {
        &REFERRED
    } else {
        &ITSELF
    }
}

/// A parameter: of a body, or of another place, which has a message of its own each.
fn parameter(value: &Value) -> &'static Message {
    static BODY: Message = Message::of(1, &Form::Message(&BODY_PARAMETER));
    static HEADER: Message = Message::of(2, &Wrapped(1, &Form::Message(&QUERY_PARAMETER)));
    static FORM: Message = Message::of(2, &Wrapped(2, &Form::Message(&QUERY_PARAMETER)));
    static QUERY: Message = Message::of(2, &Wrapped(3, &Form::Message(&QUERY_PARAMETER)));
    static PATH: Message = Message::of(2, &Wrapped(4, &Form::Message(&PATH_PARAMETER)));
    match value.get("in").and_then(Value::as_str) {
        Some("body") => &BODY,
        Some("header") => &HEADER,
        Some("formData") => &FORM,
        Some("path") => &PATH,
        _ => &QUERY,
    }
}

static BODY_PARAMETER: Message = Message {
    fields: &[
        ("description", 1, Text),
        ("name", 2, Text),
        ("in", 3, Text),
        ("required", 4, Varint),
        ("schema", 5, Form::Message(&SCHEMA)),
    ],
    rest: Rest::Extensions(6),
};

static QUERY_PARAMETER: Message = Message {
    fields: &[
        ("required", 1, Varint),
        ("in", 2, Text),
        ("description", 3, Text),
        ("name", 4, Text),
        ("type", 6, Text),
        ("format", 7, Text),
        ("uniqueItems", 20, Varint),
        ("enum", 21, Any),
    ],
    rest: Rest::Extensions(23),
};

static PATH_PARAMETER: Message = Message {
    fields: &[
        ("required", 1, Varint),
        ("in", 2, Text),
        ("description", 3, Text),
        ("name", 4, Text),
        ("type", 5, Text),
        ("format", 6, Text),
        ("uniqueItems", 19, Varint),
        ("enum", 20, Any),
    ],
    rest: Rest::Extensions(22),
};

static RESPONSES: Message = Message {
    fields: &[],
    rest: Rest::Entries(1, &Wrapped(1, &Form::Message(&RESPONSE))),
};

static RESPONSE: Message = Message {
    fields: &[
        ("description", 1, Text),
        ("schema", 2, Wrapped(1, &Form::Message(&SCHEMA))),
    ],
    rest: Rest::Extensions(5),
};

static SCHEMAS: Message = Message {
    fields: &[],
    rest: Rest::Entries(1, &Form::Message(&SCHEMA)),
};

static SCHEMA: Message = Message {
    fields: &[
        ("$ref", 1, Text),
        ("format", 2, Text),
        ("title", 3, Text),
        ("description", 4, Text),
        ("default", 5, Any),
        ("multipleOf", 6, Double),
        ("maximum", 7, Double),
        ("exclusiveMaximum", 8, Varint),
        ("minimum", 9, Double),
        ("exclusiveMinimum", 10, Varint),
        ("maxLength", 11, Varint),
        ("minLength", 12, Varint),
        ("pattern", 13, Text),
        ("maxItems", 14, Varint),
        ("minItems", 15, Varint),
        ("uniqueItems", 16, Varint),
        ("maxProperties", 17, Varint),
        ("minProperties", 18, Varint),
        ("required", 19, Text),
        ("enum", 20, Any),
        ("additionalProperties", 21, Choice(additional_properties)),
        ("type", 22, Wrapped(1, &Text)),
        ("items", 23, Wrapped(1, &Form::Message(&SCHEMA))),
        ("allOf", 24, Form::Message(&SCHEMA)),
        ("properties", 25, Form::Message(&SCHEMAS)),
        ("discriminator", 26, Text),
        ("readOnly", 27, Varint),
        ("externalDocs", 29, Form::Message(&EXTERNAL_DOCS)),
        ("example", 30, Any),
    ],
    rest: Rest::Extensions(31),
};

static EXTERNAL_DOCS: Message = Message {
    fields: &[("description", 1, Text), ("url", 2, Text)],
    rest: Rest::Extensions(3),
};

fn additional_properties(value: &Value) -> &'static Message {
    static ALLOWED: Message = Message::of(2, &Varint);
    static DESCRIBED: Message = Message::of(1, &Form::Message(&SCHEMA));
    if value.is_boolean() { &ALLOWED } else { &DESCRIBED }
}

static PARAMETERS: Message = Message {
    fields: &[],
    rest: Rest::Entries(1, &Choice(parameter)),
};

static SECURITY_DEFINITIONS: Message = Message {
    fields: &[],
    rest: Rest::Entries(1, &Wrapped(2, &Form::Message(&API_KEY))),
};

static API_KEY: Message = Message {
    fields: &[
        ("type", 1, Text),
        ("name", 2, Text),
        ("in", 3, Text),
        ("description", 4, Text),
    ],
    rest: Rest::Extensions(5),
};

static SECURITY_REQUIREMENT: Message = Message {
    fields: &[],
    rest: Rest::Entries(1, &Wrapped(1, &Text)),
};
