//! The words in which the generated tables are written: one constructor per container, one setter per fact.

use std::sync::OnceLock;

use super::{Container, FieldSchema, ListType, MessageSchema, Special, Type};

pub(super) const fn message(name: &'static str, fields: &'static [FieldSchema]) -> MessageSchema {
    MessageSchema {
        name,
        special: None,
        json_only: false,
        atomic: false,
        fields,
        wire_order: &[],
        members: OnceLock::new(),
        by_name: OnceLock::new(),
        by_number: by_number(fields),
    }
}

/// For each field number the place of the field, counted from one.
const fn by_number(fields: &[FieldSchema]) -> [u8; 64] {
    let (mut places, mut place) = ([0; 64], 0);
    while place < fields.len() {
        let number = fields[place].number as usize;
        place += 1;
        if 0 < number && number < places.len() {
            places[number] = place as u8;
        }
    }
    places
}

impl MessageSchema {
    pub(super) const fn special(mut self, special: Special) -> Self {
        self.special = Some(special);
        self
    }

    /// Places of the fields by ascending number.
    pub(super) const fn wire_order(mut self, order: &'static [u8]) -> Self {
        self.wire_order = order;
        self
    }

    pub(super) const fn json_only(mut self) -> Self {
        self.json_only = true;
        self
    }

    pub(super) const fn atomic(mut self) -> Self {
        self.atomic = true;
        self
    }
}

/// A plain value.
pub(super) const fn one(json: &'static str, number: u32, ty: Type) -> FieldSchema {
    FieldSchema {
        json,
        number,
        ty,
        container: Container::One,
        pointer: false,
        omitempty: false,
        omitzero: false,
        inlined: false,
        required: false,
        default: None,
        patch_strategy: "",
        patch_merge_key: "",
        list_type: None,
        list_map_keys: &[],
        atomic: false,
        type_name: "",
        container_name: "",
    }
}

/// A value that can be absent.
pub(super) const fn pointer(json: &'static str, number: u32, ty: Type) -> FieldSchema {
    let mut field = one(json, number, ty);
    field.pointer = true;
    field
}

/// A list.
pub(super) const fn list(json: &'static str, number: u32, ty: Type) -> FieldSchema {
    let mut field = one(json, number, ty);
    field.container = Container::List;
    field
}

/// A map with string keys.
pub(super) const fn map(json: &'static str, number: u32, ty: Type) -> FieldSchema {
    let mut field = one(json, number, ty);
    field.container = Container::Map;
    field
}

/// A message whose fields stand in the parent's JSON object; number 0 is the place of `kind` and `apiVersion`.
pub(super) const fn inline(number: u32, message: &'static MessageSchema) -> FieldSchema {
    let mut field = one("", number, Type::Message(message));
    field.inlined = true;
    field
}

impl FieldSchema {
    pub(super) const fn omitempty(mut self) -> Self {
        self.omitempty = true;
        self
    }

    pub(super) const fn omitzero(mut self) -> Self {
        self.omitzero = true;
        self
    }

    pub(super) const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// JSON text.
    pub(super) const fn default(mut self, json: &'static str) -> Self {
        self.default = Some(json);
        self
    }

    /// Strategic merge: strategy and merge key.
    pub(super) const fn patch(mut self, strategy: &'static str, merge_key: &'static str) -> Self {
        self.patch_strategy = strategy;
        self.patch_merge_key = merge_key;
        self
    }

    pub(super) const fn atomic_list(mut self) -> Self {
        self.list_type = Some(ListType::Atomic);
        self
    }

    pub(super) const fn set(mut self) -> Self {
        self.list_type = Some(ListType::Set);
        self
    }

    pub(super) const fn keyed(mut self, keys: &'static [&'static str]) -> Self {
        self.list_type = Some(ListType::Map);
        self.list_map_keys = keys;
        self
    }

    pub(super) const fn atomic(mut self) -> Self {
        self.atomic = true;
        self
    }

    pub(super) const fn named(mut self, type_name: &'static str) -> Self {
        self.type_name = type_name;
        self
    }

    pub(super) const fn container_named(mut self, name: &'static str) -> Self {
        self.container_name = name;
        self
    }
}
