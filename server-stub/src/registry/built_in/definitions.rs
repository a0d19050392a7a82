//! CustomResourceDefinitions.

use super::rules::Rules;
use crate::apiextensions::customresourcedefinition::{self as definition, validation};

pub(super) const CUSTOM_RESOURCE_DEFINITION: Rules = Rules {
    default: definition::default,
    create: |object, _| definition::create(object),
    update: definition::update,
    validate: validation::validate,
    validate_update: validation::validate_update,
    validate_status: validation::validate_status,
    warnings: |new, _| definition::warnings(new),
    name: validation::NAME_RULE,
    has_generation: true,
    unconditional_update: false,
    precondition_words: Some("precondition failed"),
    mark_deleted: definition::mark_deleted,
    must_stay: definition::must_stay,
    ..Rules::PLAIN
};
