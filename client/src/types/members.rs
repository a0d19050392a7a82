//! How the members of a type are read from and written to JSON.

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Unexpected, Visitor};
use serde::ser::{SerializeStruct, Serializer};

/// `apiVersion` and `kind` of a type that says them.
type Kind = Option<(&'static str, &'static str)>;

/// Begins to write an object of so many members, with its kind.
pub(super) fn begin<S: Serializer>(
    serializer: S,
    name: &'static str,
    kind: Kind,
    count: usize,
) -> Result<S::SerializeStruct, S::Error> {
    let Some((api_version, kind)) = kind else {
        return serializer.serialize_struct(name, count);
    };
    let mut members = serializer.serialize_struct(name, count + 2)?;
    members.serialize_field("apiVersion", api_version)?;
    members.serialize_field("kind", kind)?;
    Ok(members)
}

/// Reads a member that is no field: what says the kind has to be right, the rest is skipped.
pub(super) fn other<'de, A: MapAccess<'de>>(members: &mut A, name: &str, kind: Kind) -> Result<(), A::Error> {
    let expected = match (name, kind) {
        ("apiVersion", Some((api_version, _))) => api_version,
        ("kind", Some((_, kind))) => kind,
        _ => return members.next_value().map(|IgnoredAny| ()),
    };
    match members.next_value::<Option<String>>()? {
        Some(read) if read != expected => Err(A::Error::invalid_value(Unexpected::Str(&read), &expected)),
        _ => Ok(()),
    }
}

/// Reads the name of a member: one of these, `apiVersion`, `kind`, or nothing where it is another.
pub(super) struct Names(pub(super) &'static [&'static str]);

impl<'de> DeserializeSeed<'de> for Names {
    type Value = &'static str;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<&'static str, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Names {
    type Value = &'static str;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<&'static str, E> {
        let known = self.0.iter().chain(&["apiVersion", "kind"]);
        Ok(known.copied().find(|known| *known == name).unwrap_or_default())
    }
}

/// A member that is there where its field has a value.
pub(super) mod optional {
    use serde::de::MapAccess;
    use serde::ser::SerializeStruct;
    use serde::{Deserialize, Serialize};

    pub(in crate::types) fn count<T>(field: &Option<T>) -> usize {
        usize::from(field.is_some())
    }

    pub(in crate::types) fn write<S: SerializeStruct, T: Serialize>(
        members: &mut S,
        name: &'static str,
        field: &Option<T>,
    ) -> Result<(), S::Error> {
        match field {
            Some(value) => members.serialize_field(name, value),
            None => members.skip_field(name),
        }
    }

    pub(in crate::types) fn read<'de, A: MapAccess<'de>, T: Deserialize<'de>>(
        members: &mut A,
        field: &mut Option<T>,
    ) -> Result<(), A::Error> {
        *field = members.next_value()?;
        Ok(())
    }
}

/// A member that is always written; null is read as the default.
pub(super) mod required {
    use serde::de::MapAccess;
    use serde::ser::SerializeStruct;
    use serde::{Deserialize, Serialize};

    pub(in crate::types) fn count<T>(_: &T) -> usize {
        1
    }

    pub(in crate::types) fn write<S: SerializeStruct, T: Serialize>(
        members: &mut S,
        name: &'static str,
        field: &T,
    ) -> Result<(), S::Error> {
        members.serialize_field(name, field)
    }

    pub(in crate::types) fn read<'de, A: MapAccess<'de>, T: Deserialize<'de> + Default>(
        members: &mut A,
        field: &mut T,
    ) -> Result<(), A::Error> {
        *field = members.next_value::<Option<T>>()?.unwrap_or_default();
        Ok(())
    }
}
