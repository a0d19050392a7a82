//! JSON ⇄ protobuf without a value in between: the usual object in one pass.
//!
//! Both directions answer `None` where something is unusual (fields out of order, duplicates, unknown members, values
//! of a wrong type, broken input): the way through a value then says what is wrong, or copes with it.

mod tape;
mod text;
mod to_json;
mod to_protobuf;

pub(super) use to_json::to_json;
pub(super) use to_protobuf::to_protobuf;
