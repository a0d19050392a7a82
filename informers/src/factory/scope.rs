//! Which objects an informer is of.

use kubewire_client::ListOptions;

/// Which objects of a type an informer is of: those of one namespace or of all, and of these the ones that selectors
/// choose, which the server applies.
///
/// ```
/// use kubewire_informers::factory::Scope;
/// let scope = Scope::namespace("shop").with_labels("app=web").with_fields("spec.nodeName=node-1");
/// assert_ne!(scope, Scope::all());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Scope {
    /// The namespace; empty for all of them.
    pub namespace: String,
    /// A label selector, such as `app=web`.
    pub labels: Option<String>,
    /// A field selector, such as `spec.nodeName=node-1`.
    pub fields: Option<String>,
}

impl Scope {
    /// Every object.
    pub fn all() -> Self {
        Self::default()
    }

    /// The objects of one namespace; of all where it is empty.
    pub fn namespace(namespace: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            ..Self::default()
        }
    }

    /// Only objects whose labels fulfil this selector.
    #[must_use]
    pub fn with_labels(mut self, selector: impl Into<String>) -> Self {
        self.labels = Some(selector.into());
        self
    }

    /// Only objects whose fields fulfil this selector.
    #[must_use]
    pub fn with_fields(mut self, selector: impl Into<String>) -> Self {
        self.fields = Some(selector.into());
        self
    }

    /// The same in another namespace.
    pub(super) fn in_namespace(&self, namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            ..self.clone()
        }
    }

    pub(super) fn select(&self, options: &mut ListOptions) {
        options.label_selector.clone_from(&self.labels);
        options.field_selector.clone_from(&self.fields);
    }
}
