//! Query parameters of the verbs.

use std::time::Duration;

use crate::resource::ResourceVersion;
use crate::rest::Request;

/// What [`list`](crate::Api::list) and [`watch`](crate::Api::watch) select, and how fresh it must be.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ListOptions {
    /// Selects by labels, as `app=web,tier in (front, back)`. Default: everything.
    pub label_selector: Option<String>,
    /// Selects by the fields that the resource allows, as `status.phase=Running`. Default: everything.
    pub field_selector: Option<String>,
    /// Most items of one page. Default: all at once.
    pub limit: Option<i64>,
    /// Where the page begins, from the page before.
    pub continue_token: Option<String>,
    /// List: how fresh the answer must be. Watch: where to begin. Default: the newest state.
    pub resource_version: Option<ResourceVersion>,
    /// How a list treats `resource_version`. Default: the server's choice, "not older than".
    pub resource_version_match: Option<VersionMatch>,
    /// How long the server keeps a watch open, in whole seconds. Default: the server's choice.
    pub timeout: Option<Duration>,
    /// Asks for bookmarks in a watch (KEP-956). Default: off.
    pub allow_watch_bookmarks: bool,
    /// Asks a watch to begin with the present state (KEP-3157). Default: not asked.
    pub send_initial_events: Option<bool>,
}

/// How a list treats the resourceVersion of its options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionMatch {
    /// The state at this very version.
    Exact,
    /// This state or any later one.
    NotOlderThan,
}

impl ListOptions {
    /// Selects by labels.
    #[must_use]
    pub fn with_labels(mut self, selector: impl Into<String>) -> Self {
        self.label_selector = Some(selector.into());
        self
    }

    /// Selects by fields.
    #[must_use]
    pub fn with_fields(mut self, selector: impl Into<String>) -> Self {
        self.field_selector = Some(selector.into());
        self
    }

    /// Limits the items of one page.
    #[must_use]
    pub fn with_limit(mut self, limit: i64) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Goes on where the page before ended.
    #[must_use]
    pub fn with_continue(mut self, token: impl Into<String>) -> Self {
        self.continue_token = Some(token.into());
        self
    }

    /// Sets how fresh a list must be, or where a watch begins.
    #[must_use]
    pub fn with_resource_version(mut self, version: ResourceVersion) -> Self {
        self.resource_version = Some(version);
        self
    }

    /// Sets how a list treats the resourceVersion.
    #[must_use]
    pub fn with_version_match(mut self, version_match: VersionMatch) -> Self {
        self.resource_version_match = Some(version_match);
        self
    }

    /// Sets how long the server keeps a watch open.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Asks for bookmarks in a watch.
    #[must_use]
    pub fn with_bookmarks(mut self) -> Self {
        self.allow_watch_bookmarks = true;
        self
    }

    /// Asks a watch to begin with the present state.
    #[must_use]
    pub fn with_initial_events(mut self, send: bool) -> Self {
        self.send_initial_events = Some(send);
        self
    }

    pub(super) fn add_to(&self, request: Request) -> Request {
        let version = self.resource_version.as_ref().filter(|version| !version.is_unset());
        let version_match = self.resource_version_match.map(|version_match| match version_match {
            VersionMatch::Exact => "Exact",
            VersionMatch::NotOlderThan => "NotOlderThan",
        });
        let seconds = self.timeout.map(|timeout| timeout.as_secs());
        request
            .maybe("labelSelector", self.label_selector.as_ref())
            .maybe("fieldSelector", self.field_selector.as_ref())
            .maybe("limit", self.limit.map(|limit| limit.to_string()))
            .maybe("continue", self.continue_token.as_ref())
            .maybe("resourceVersion", version.map(ResourceVersion::as_str))
            .maybe("resourceVersionMatch", version_match)
            .maybe("timeoutSeconds", seconds.map(|seconds| seconds.to_string()))
            .maybe("timeout", seconds.map(|seconds| format!("{seconds}s")))
            .maybe("allowWatchBookmarks", self.allow_watch_bookmarks.then_some("true"))
            .maybe(
                "sendInitialEvents",
                self.send_initial_events.map(|send| send.to_string()),
            )
    }
}

/// What the server does with fields that it does not know (KEP-2885).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldValidation {
    /// Drops them in silence.
    Ignore,
    /// Drops them and warns.
    Warn,
    /// Refuses the request.
    Strict,
}

/// Options of create and update.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct WriteOptions {
    /// Goes through all the checks and stores nothing. Default: off.
    pub dry_run: bool,
    /// The name under which the server records who set which field. Default: from the user agent.
    pub field_manager: Option<String>,
    /// Default: the server's choice, [`FieldValidation::Warn`].
    pub field_validation: Option<FieldValidation>,
}

impl WriteOptions {
    /// Goes through all the checks and stores nothing.
    #[must_use]
    pub fn with_dry_run(mut self) -> Self {
        self.dry_run = true;
        self
    }

    /// Sets the name under which the server records who set which field.
    #[must_use]
    pub fn with_field_manager(mut self, manager: impl Into<String>) -> Self {
        self.field_manager = Some(manager.into());
        self
    }

    /// Sets what happens to unknown fields.
    #[must_use]
    pub fn with_field_validation(mut self, validation: FieldValidation) -> Self {
        self.field_validation = Some(validation);
        self
    }

    pub(super) fn add_to(&self, request: Request) -> Request {
        let validation = self.field_validation.map(|validation| match validation {
            FieldValidation::Ignore => "Ignore",
            FieldValidation::Warn => "Warn",
            FieldValidation::Strict => "Strict",
        });
        request
            .maybe("dryRun", self.dry_run.then_some("All"))
            .maybe("fieldManager", self.field_manager.as_ref())
            .maybe("fieldValidation", validation)
    }
}

/// Options of patch.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct PatchOptions {
    /// What patches share with other writes.
    pub write: WriteOptions,
    /// Server-side apply only: takes over fields that other managers own. Default: off.
    pub force: bool,
}

impl PatchOptions {
    /// Options of a server-side apply in this manager's name, which the server insists on.
    pub fn apply(manager: impl Into<String>) -> Self {
        Self {
            write: WriteOptions::default().with_field_manager(manager),
            force: false,
        }
    }

    /// Takes over fields that other managers own.
    #[must_use]
    pub fn with_force(mut self) -> Self {
        self.force = true;
        self
    }

    pub(super) fn add_to(&self, request: Request) -> Request {
        self.write.add_to(request).maybe("force", self.force.then_some("true"))
    }
}
