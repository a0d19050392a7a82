//! What writing a message as JSON has to know of its fields, without all else: one cache line each, found by number.

use super::{Container, FieldSchema, MessageSchema, Special, Type};

/// Room for a name with comma, quotes and colon; a few are longer.
const NAME: usize = 32;

/// Stands in the table for a number that no member has.
const NOWHERE: u8 = u8::MAX;

/// The members of a message's JSON object, in the order of the schema.
#[derive(Debug)]
pub(crate) struct Members {
    list: Box<[Member]>,
    /// The place of each field number in the list.
    places: Box<[u8]>,
    /// One bit for each member that JSON shows also when it is absent, the lowest for the first.
    pub(crate) shown: u64,
}

/// One member, or the members of an inlined message.
#[derive(Debug)]
pub(crate) struct Member {
    name: [u8; NAME],
    name_length: u8,
    pub(crate) container: Container,
    pub(crate) inlined: bool,
    /// True where absent is null, not zero.
    pub(crate) is_nilable: bool,
    /// True where a scalar is left out when it is zero.
    pub(crate) omits_zero: bool,
    /// True where a message is left out when it is written as null.
    pub(crate) omits_null: bool,
    pub(crate) ty: Type,
    pub(crate) json: &'static str,
}

impl Members {
    pub(super) fn of(schema: &MessageSchema) -> Self {
        let is_member = |field: &&FieldSchema| !(field.json.is_empty() && !field.inlined || field.is_type_meta());
        let fields = schema.fields.iter().filter(is_member);
        let mut members = Self {
            list: fields.clone().map(Member::of).collect(),
            places: Box::default(),
            shown: 0,
        };
        let last = fields.clone().map(|field| field.number).max().unwrap_or(0);
        let mut places = vec![NOWHERE; last as usize + 1];
        for (place, field) in fields.enumerate() {
            if let Some(at) = places.get_mut(field.number as usize) {
                *at = place as u8;
            }
            members.shown |= u64::from(!field.is_omitted_when_absent()) << place; // no message has more than 64
        }
        members.places = places.into();
        members
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// Where the member with a field number stands.
    #[inline]
    pub(crate) fn place(&self, number: u32) -> Option<usize> {
        let place = *self.places.get(number as usize)?;
        (place != NOWHERE).then_some(place.into())
    }

    #[inline]
    pub(crate) fn get(&self, place: usize) -> Option<&Member> {
        self.list.get(place)
    }
}

impl Member {
    fn of(field: &FieldSchema) -> Self {
        let text = format!(",\"{}\":", field.json);
        let mut name = [0; NAME];
        name.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
        let special = field.message().and_then(|message| message.special);
        Self {
            name,
            name_length: text.len() as u8,
            container: field.container,
            inlined: field.inlined,
            is_nilable: field.is_nilable(),
            omits_zero: field.omitempty && !field.pointer && field.message().is_none(),
            omits_null: special.is_some()
                && (field.omitzero || field.omitempty && (field.pointer || special == Some(Special::List))),
            ty: field.ty,
            json: field.json,
        }
    }

    /// Comma, name and colon in so many of the first bytes; `None` where they are too long for it.
    #[inline]
    pub(crate) fn name(&self) -> Option<(&[u8; NAME], usize)> {
        let length = usize::from(self.name_length);
        (length <= NAME).then_some((&self.name, length))
    }
}

#[cfg(test)]
mod tests {
    use crate::wire::schema::MESSAGES;

    #[test]
    fn every_message_has_a_table() {
        for message in MESSAGES {
            assert!(message.fields.len() <= 64, "{}", message.name);
            let members = message.members();
            for field in message
                .fields
                .iter()
                .filter(|field| field.number > 0 && !field.json.is_empty())
            {
                let member = members
                    .place(field.number)
                    .and_then(|place| members.get(place))
                    .unwrap();
                assert_eq!(member.json, field.json);
                let name = format!(",\"{}\":", field.json);
                assert!(
                    member
                        .name()
                        .is_none_or(|(text, length)| text[..length] == *name.as_bytes()),
                    "{name}"
                );
            }
        }
    }
}
