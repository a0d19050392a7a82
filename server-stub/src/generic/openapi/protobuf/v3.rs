//! The messages of OpenAPI 3 (gnostic's `openapi.v3`).

use serde_json::Value;

use super::{Form, Message, Rest};
use Form::{Any, Choice, Double, Text, Varint, Wrapped};

pub(super) static DOCUMENT: Message = Message {
    fields: &[
        ("openapi", 1, Text),
        ("info", 2, Form::Message(&INFO)),
        ("paths", 4, Form::Message(&PATHS)),
        ("components", 5, Form::Message(&COMPONENTS)),
        ("security", 6, Form::Message(&SECURITY_REQUIREMENT)),
    ],
    rest: Rest::Extensions(9),
};

static INFO: Message = Message {
    fields: &[("title", 1, Text), ("description", 2, Text), ("version", 6, Text)],
    rest: Rest::Extensions(7),
};

static PATHS: Message = Message {
    fields: &[],
    rest: Rest::Entries(1, &Form::Message(&PATH_ITEM)),
};

static PATH_ITEM: Message = Message {
    fields: &[
        ("$ref", 1, Text),
        ("summary", 2, Text),
        ("description", 3, Text),
        ("get", 4, Form::Message(&OPERATION)),
        ("put", 5, Form::Message(&OPERATION)),
        ("post", 6, Form::Message(&OPERATION)),
        ("delete", 7, Form::Message(&OPERATION)),
        ("options", 8, Form::Message(&OPERATION)),
        ("head", 9, Form::Message(&OPERATION)),
        ("patch", 10, Form::Message(&OPERATION)),
        ("trace", 11, Form::Message(&OPERATION)),
        ("parameters", 13, Choice(parameter)),
    ],
    rest: Rest::Extensions(14),
};

static OPERATION: Message = Message {
    fields: &[
        ("tags", 1, Text),
        ("summary", 2, Text),
        ("description", 3, Text),
        ("operationId", 5, Text),
        ("parameters", 6, Choice(parameter)),
        ("requestBody", 7, Wrapped(1, &Form::Message(&REQUEST_BODY))),
        ("responses", 8, Form::Message(&RESPONSES)),
        ("deprecated", 10, Varint),
        ("security", 11, Form::Message(&SECURITY_REQUIREMENT)),
    ],
    rest: Rest::Extensions(13),
};

/// A parameter, or a reference to one, in one of two fields.
fn parameter(value: &Value) -> &'static Message {
    static ITSELF: Message = Message::of(1, &Form::Message(&PARAMETER));
    if value.get("$ref").is_some() {
        &REFERRED
    } else {
        &ITSELF
    }
}

/// A schema, or a reference to one, in one of two fields.
fn schema(value: &Value) -> &'static Message {
    static ITSELF: Message = Message::of(1, &Form::Message(&SCHEMA));
    if value.get("$ref").is_some() {
        &REFERRED
    } else {
        &ITSELF
    }
}

static REFERRED: Message = Message::of(2, &Form::Message(&REFERENCE));

static REFERENCE: Message = Message {
    fields: &[("$ref", 1, Text)],
    rest: Rest::Nothing,
};

static PARAMETER: Message = Message {
    fields: &[
        ("name", 1, Text),
        ("in", 2, Text),
        ("description", 3, Text),
        ("required", 4, Varint),
        ("deprecated", 5, Varint),
        ("allowEmptyValue", 6, Varint),
        ("style", 7, Text),
        ("explode", 8, Varint),
        ("allowReserved", 9, Varint),
        ("schema", 10, Choice(schema)),
    ],
    rest: Rest::Extensions(14),
};

static REQUEST_BODY: Message = Message {
    fields: &[
        ("description", 1, Text),
        ("content", 2, Form::Message(&MEDIA_TYPES)),
        ("required", 3, Varint),
    ],
    rest: Rest::Extensions(4),
};

static RESPONSES: Message = Message {
    fields: &[("default", 1, Wrapped(1, &Form::Message(&RESPONSE)))],
    rest: Rest::Entries(2, &Wrapped(1, &Form::Message(&RESPONSE))),
};

static RESPONSE: Message = Message {
    fields: &[("description", 1, Text), ("content", 3, Form::Message(&MEDIA_TYPES))],
    rest: Rest::Extensions(5),
};

static MEDIA_TYPES: Message = Message {
    fields: &[],
    rest: Rest::Entries(1, &Form::Message(&MEDIA_TYPE)),
};

static MEDIA_TYPE: Message = Message {
    fields: &[("schema", 1, Choice(schema))],
    rest: Rest::Extensions(5),
};

static COMPONENTS: Message = Message {
    fields: &[
        ("schemas", 1, Form::Message(&SCHEMAS)),
        ("securitySchemes", 7, Form::Message(&SECURITY_SCHEMES)),
    ],
    rest: Rest::Extensions(10),
};

static SCHEMAS: Message = Message {
    fields: &[],
    rest: Rest::Entries(1, &Choice(schema)),
};

static SCHEMA: Message = Message {
    fields: &[
        ("nullable", 1, Varint),
        ("readOnly", 3, Varint),
        ("writeOnly", 4, Varint),
        ("externalDocs", 6, Form::Message(&EXTERNAL_DOCS)),
        ("example", 7, Any),
        ("deprecated", 8, Varint),
        ("title", 9, Text),
        ("multipleOf", 10, Double),
        ("maximum", 11, Double),
        ("exclusiveMaximum", 12, Varint),
        ("minimum", 13, Double),
        ("exclusiveMinimum", 14, Varint),
        ("maxLength", 15, Varint),
        ("minLength", 16, Varint),
        ("pattern", 17, Text),
        ("maxItems", 18, Varint),
        ("minItems", 19, Varint),
        ("uniqueItems", 20, Varint),
        ("maxProperties", 21, Varint),
        ("minProperties", 22, Varint),
        ("required", 23, Text),
        ("enum", 24, Any),
        ("type", 25, Text),
        ("allOf", 26, Choice(schema)),
        ("oneOf", 27, Choice(schema)),
        ("anyOf", 28, Choice(schema)),
        ("not", 29, Form::Message(&SCHEMA)),
        ("items", 30, Wrapped(1, &Choice(schema))),
        ("properties", 31, Form::Message(&SCHEMAS)),
        ("additionalProperties", 32, Choice(additional_properties)),
        ("default", 33, Choice(default)),
        ("description", 34, Text),
        ("format", 35, Text),
    ],
    rest: Rest::Extensions(36),
};

static EXTERNAL_DOCS: Message = Message {
    fields: &[("description", 1, Text), ("url", 2, Text)],
    rest: Rest::Extensions(3),
};

fn additional_properties(value: &Value) -> &'static Message {
    static ALLOWED: Message = Message::of(2, &Varint);
    static DESCRIBED: Message = Message::of(1, &Choice(schema));
    if value.is_boolean() { &ALLOWED } else { &DESCRIBED }
}

/// Defaults that are objects or lists cannot be written: the message is empty.
fn default(value: &Value) -> &'static Message {
    static NUMBER: Message = Message::of(1, &Double);
    static BOOL: Message = Message::of(2, &Varint);
    static TEXT: Message = Message::of(3, &Text);
    static EMPTY: Message = Message {
        fields: &[],
        rest: Rest::Nothing,
    };
    match value {
        Value::Number(_) => &NUMBER,
        Value::Bool(_) => &BOOL,
        Value::String(_) => &TEXT,
        _ => &EMPTY,
    }
}

static SECURITY_SCHEMES: Message = Message {
    fields: &[],
    rest: Rest::Entries(1, &Wrapped(1, &Form::Message(&SECURITY_SCHEME))),
};

static SECURITY_SCHEME: Message = Message {
    fields: &[
        ("type", 1, Text),
        ("description", 2, Text),
        ("name", 3, Text),
        ("in", 4, Text),
        ("scheme", 5, Text),
        ("bearerFormat", 6, Text),
    ],
    rest: Rest::Extensions(9),
};

static SECURITY_REQUIREMENT: Message = Message {
    fields: &[],
    rest: Rest::Entries(1, &Wrapped(1, &Text)),
};
