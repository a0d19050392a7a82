//! What runs when the server has started and before it stops.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use kubewire_client::Clientset;
use kubewire_informers::SharedInformerFactory;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::clock::Clock;
use super::health::HealthCheck;
use super::lifecycle::LifecycleSignals;

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
}

/// Work to do once the server answers requests, such as starting a controller. While it has not returned, its check
/// `poststarthook/<name>` fails and with it `/readyz`. If it fails, the server stops.
#[derive(Clone)]
pub struct PostStartHook {
    name: Cow<'static, str>,
    run: Arc<dyn Fn(HookContext) -> BoxFuture<'static, Result<(), HookError>> + Send + Sync>,
    done: CancellationToken,
}

impl PostStartHook {
    /// A hook; long work belongs into `context.tasks`.
    pub fn new<F>(name: impl Into<Cow<'static, str>>, run: impl Fn(HookContext) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), HookError>> + Send + 'static,
    {
        Self {
            name: name.into(),
            run: Arc::new(move |context| run(context).boxed()),
            done: CancellationToken::new(),
        }
    }

    /// The name in the health checks.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) async fn run(&self, context: HookContext) -> Result<(), RunHookError> {
        let result = (self.run)(context).await;
        result.map_err(|source| RunHookError {
            hook: self.name.clone(),
            source,
        })?;
        self.done.cancel();
        Ok(())
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
    /// A hook that the server waits for.
    pub fn new<F>(name: impl Into<Cow<'static, str>>, run: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), HookError>> + Send + 'static,
    {
        Self {
            name: name.into(),
            run: Arc::new(move || run().boxed()),
        }
    }

    pub(crate) async fn run(&self) -> Result<(), RunHookError> {
        (self.run)().await.map_err(|source| RunHookError {
            hook: self.name.clone(),
            source,
        })
    }
}

/// A hook that failed.
#[derive(Debug, thiserror::Error)]
#[error("hook {hook} failed")]
pub struct RunHookError {
    hook: Cow<'static, str>,
    source: HookError,
}
