//! The merge rules of built-in kinds, from the runtime schema.

use kubewire_client::wire::schema::MessageSchema;

use super::strategic::{MergeField, MergeSchema};

/// The rules of the fields of one message.
#[derive(Clone, Copy)]
pub(super) struct FieldRules(&'static MessageSchema);

impl FieldRules {
    pub(super) fn of(message: &'static MessageSchema) -> Self {
        Self(message)
    }
}

impl MergeSchema for FieldRules {
    fn field(self, name: &str) -> MergeField<Self> {
        let Some(field) = self.0.field(name) else {
            return MergeField::default();
        };
        let strategies = || field.patch_strategy.split(',');
        MergeField {
            replace: strategies().any(|strategy| strategy == "replace"),
            merge: strategies().any(|strategy| strategy == "merge"),
            merge_key: Some(field.patch_merge_key).filter(|key| !key.is_empty()),
            inner: field.message().map(Self),
            is_known: true,
        }
    }

    fn name(self) -> &'static str {
        let name = self.0.type_name();
        name.split_once('.').map_or(name, |(_, name)| name)
    }
}
