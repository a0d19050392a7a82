//! What runs when the server has started and before it stops.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location};
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use kubewire_client::Clientset;
use kubewire_informers::workqueue::Item;
use kubewire_informers::{Controller, SharedInformerFactory};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::clock::Clock;
use super::health::HealthCheck;
use super::lifecycle::LifecycleSignals;
use super::metrics::Metrics;

/// Why a hook failed.
pub type HookError = Box<dyn std::error::Error + Send + Sync>;

/// What a post-start hook may use.
#[derive(Clone)]
pub struct HookContext {
    /// The informers of the server's controllers, over its client of itself: privileged, in process, with all filters
    /// on the way.
    pub informers: SharedInformerFactory,
    /// Time.
    pub clock: Clock,
    /// What the server counts.
    pub(crate) metrics: Arc<Metrics>,
    /// The moments in the server's life; controllers end on `shutdown_initiated`.
    pub lifecycle: LifecycleSignals,
    /// Spawn background work here: the server joins it before it ends.
    pub tasks: TaskTracker,
}

impl HookContext {
    /// The server's client of itself.
    pub fn clientset(&self) -> &Clientset {
        self.informers.clientset()
    }

    /// A controller whose queue is counted under this name.
    pub(crate) fn controller<T: Item + fmt::Debug>(&self, name: &str) -> Controller<T> {
        Controller::with_queue(self.metrics.work_queue(name))
    }
}

/// Work to do once the server answers requests, such as starting a controller. While it has not returned, its check
/// `poststarthook/<name>` fails and with it `/readyz`. If it fails, the server stops.
#[derive(Clone)]
pub struct PostStartHook {
    name: Cow<'static, str>,
    run: Arc<dyn Fn(HookContext) -> BoxFuture<'static, Result<(), HookError>> + Send + Sync>,
    done: CancellationToken,
    created_at: &'static Location<'static>,
}

impl PostStartHook {
    /// A hook; long work belongs into `context.tasks`.
    #[track_caller]
    pub fn new<F>(name: impl Into<Cow<'static, str>>, run: impl Fn(HookContext) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), HookError>> + Send + 'static,
    {
        Self {
            name: name.into(),
            run: Arc::new(move |context| run(context).boxed()),
            done: CancellationToken::new(),
            created_at: Location::caller(),
        }
    }

    /// The name in the health checks.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) async fn run(self, context: HookContext) -> Result<(), RunHookError> {
        let run = AssertUnwindSafe(async { (self.run)(context).await });
        let result = run.catch_unwind().await;
        let result = result.unwrap_or_else(|panic| Err(panic_text(&*panic).into()));
        tracing::debug!(hook = %self.name, ok = result.is_ok(), "post-start hook");
        result.map_err(|source| RunHookError {
            hook: self.name,
            source,
        })?;
        self.done.cancel();
        Ok(())
    }

    /// The error for a second hook of this name.
    pub(crate) fn duplicate(&self, second: &Self) -> DuplicateHookError {
        DuplicateHookError {
            hook: self.name.clone(),
            first: self.created_at,
            second: second.created_at,
        }
    }

    pub(crate) fn health_check(&self) -> HealthCheck {
        let done = self.done.clone();
        HealthCheck::new(format!("poststarthook/{}", self.name), move || {
            if done.is_cancelled() {
                Ok(())
            } else {
                Err("not finished".to_owned())
            }
        })
    }
}

impl fmt::Debug for PostStartHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostStartHook({})", self.name)
    }
}

/// Work to do when the server was asked to stop and still answers requests.
#[derive(Clone)]
pub struct PreShutdownHook {
    name: Cow<'static, str>,
    run: Arc<dyn Fn() -> BoxFuture<'static, Result<(), HookError>> + Send + Sync>,
}

impl PreShutdownHook {
    /// A hook that the server waits for while it still answers, itself included.
    pub fn new<F>(name: impl Into<Cow<'static, str>>, run: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), HookError>> + Send + 'static,
    {
        Self {
            name: name.into(),
            run: Arc::new(move || run().boxed()),
        }
    }

    /// A hook that waits for tasks which end by themselves once the server is asked to stop.
    pub(crate) fn join(name: &'static str, tasks: TaskTracker) -> Self {
        Self::new(name, move || {
            let tasks = tasks.clone();
            async move {
                tasks.close();
                tasks.wait().await;
                Ok(())
            }
        })
    }

    pub(crate) async fn run(&self) -> Result<(), RunHookError> {
        let result = AssertUnwindSafe(async { (self.run)().await }).catch_unwind().await;
        let result = result.unwrap_or_else(|panic| Err(panic_text(&*panic).into()));
        tracing::debug!(hook = %self.name, ok = result.is_ok(), "pre-shutdown hook");
        result.map_err(|source| RunHookError {
            hook: self.name.clone(),
            source,
        })
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("panicked: {}", text.unwrap_or_default())
}

/// Two hooks with one name.
#[derive(Debug, thiserror::Error)]
#[error("hook {hook} of {second} was already registered by {first}")]
pub struct DuplicateHookError {
    hook: Cow<'static, str>,
    first: &'static Location<'static>,
    second: &'static Location<'static>,
}

/// A hook that failed.
#[derive(Debug, thiserror::Error)]
#[error("hook {hook} failed")]
pub struct RunHookError {
    hook: Cow<'static, str>,
    source: HookError,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generic::delegation::NotFound;
    use crate::generic::server::GenericApiServer;
    use crate::generic::{Config, lifecycle};

    fn hook(name: &'static str) -> PostStartHook {
        PostStartHook::new(name, |_| async { Ok(()) })
    }

    #[test]
    fn two_hooks_of_one_name_are_an_error_that_says_where_they_are_from() {
        let mut delegate = GenericApiServer::new("delegate", "", Arc::new(NotFound));
        delegate.add_post_start_hook(hook("a"));
        let mut server = GenericApiServer::new("server", "", Arc::new(delegate));
        server.add_post_start_hook(hook("b"));
        server.add_post_start_hook(hook("a"));
        let error = server
            .prepare_run(Config::default(), lifecycle::LifecycleSignals::default())
            .err()
            .unwrap();
        let text = error.to_string();
        assert!(
            text.starts_with("hook a of ") && text.contains(" was already registered by "),
            "{text}"
        );
        assert_eq!(text.matches("hooks.rs:").count(), 2, "{text}");
    }

    #[tokio::test]
    async fn a_panic_is_a_failure_with_the_name_of_the_hook() {
        let server = GenericApiServer::new("server", "", Arc::new(NotFound));
        let prepared = server
            .prepare_run(Config::default(), lifecycle::LifecycleSignals::default())
            .unwrap();
        let context = prepared.hook_context();
        let bad = PostStartHook::new("bad", |_| async { panic!("by accident") });
        let error = bad.run(context).await.unwrap_err();
        assert_eq!(error.to_string(), "hook bad failed");
        assert_eq!(
            std::error::Error::source(&error).unwrap().to_string(),
            "panicked: by accident"
        );
    }
}
