//! What field validation reports: unknown and duplicate fields (KEP-2885).

use std::fmt;

/// The most problems that are reported of one document.
const MAX_PROBLEMS: usize = 100;

/// A member of a JSON document that decoding ignores.
///
/// The text is that of the API server's warnings: `unknown field "spec.foo"`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FieldProblem {
    /// The type has no such field.
    Unknown {
        /// Where, as `spec.containers[0].foo`.
        path: String,
    },
    /// The member occurs more than once; the last one counts.
    Duplicate {
        /// Where.
        path: String,
    },
}

impl fmt::Display for FieldProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { path } => write!(f, "unknown field \"{path}\""),
            Self::Duplicate { path } => write!(f, "duplicate field \"{path}\""),
        }
    }
}

/// One step of a path.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place<'n> {
    Member(&'n str),
    Index(usize),
}

/// Collects problems during a walk through a document.
#[derive(Debug, Default)]
pub(super) struct Problems<'n> {
    path: Vec<Place<'n>>,
    found: Vec<FieldProblem>,
}

impl<'n> Problems<'n> {
    /// Goes one step deeper for the time of the call.
    pub(super) fn at<T>(&mut self, place: Place<'n>, walk: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(place);
        let result = walk(self);
        self.path.pop();
        result
    }

    pub(super) fn push(&mut self, place: Place<'n>) {
        self.path.push(place);
    }

    pub(super) fn pop(&mut self) {
        self.path.pop();
    }

    pub(super) fn unknown(&mut self, name: &str) {
        let path = self.path_of(name);
        self.report(FieldProblem::Unknown { path });
    }

    pub(super) fn duplicate(&mut self, name: &str) {
        let path = self.path_of(name);
        self.report(FieldProblem::Duplicate { path });
    }

    pub(super) fn into_vec(self) -> Vec<FieldProblem> {
        self.found
    }

    fn report(&mut self, problem: FieldProblem) {
        if self.found.len() < MAX_PROBLEMS && !self.found.contains(&problem) {
            self.found.push(problem);
        }
    }

    /// The place of the walk.
    pub(super) fn path(&self) -> String {
        let mut path = String::new();
        for place in &self.path {
            place.append_to(&mut path);
        }
        path
    }

    fn path_of(&self, name: &str) -> String {
        let mut path = self.path();
        Place::Member(name).append_to(&mut path);
        path
    }
}

impl Place<'_> {
    fn append_to(self, path: &mut String) {
        match self {
            Place::Member(name) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(name);
            }
            Place::Index(index) => path.push_str(&format!("[{index}]")),
        }
    }
}
