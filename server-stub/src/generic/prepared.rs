//! A server ready to run: handler chain, loopback client, hooks, and the way down.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{join_all, try_join_all};
use http::HeaderValue;
use kubewire_client::{Client, Clientset};
use kubewire_informers::SharedInformerFactory;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::clock::Clock;
use super::config::Config;
use super::delegation::{DelegationTarget, Handler};
use super::health::HealthCheck;
use super::hooks::{HookContext, PostStartHook, PreShutdownHook, RunHookError};
use super::index::{Index, Version};
use super::lifecycle::LifecycleSignals;
use super::loopback::Loopback;
use super::metrics::{Metrics, MetricsHandler};
use super::openapi;
use super::request::UserInfo;
use super::secure_serving::SecureServing;
use super::server::GenericApiServer;
use crate::authentication::{BearerTokens, UnionAuthenticator};
use crate::filters::{self, ChainConfig};

/// The first server of a chain behind its filters. [`run`](Self::run) serves it.
pub struct PreparedGenericApiServer {
    handler: Arc<dyn Handler>,
    informers: SharedInformerFactory,
    clock: Clock,
    lifecycle: LifecycleSignals,
    post_start_hooks: Vec<PostStartHook>,
    pre_shutdown_hooks: Vec<PreShutdownHook>,
    drain_timeout: Duration,
}

/// Why a server stopped by itself, or did not stop well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// A hook failed.
    #[error("run the server")]
    Hook(#[from] RunHookError),
    /// Requests were still under way when the time to finish them was over.
    #[error("requests were still under way {} s after the server was stopped", .0.as_secs())]
    NotDrained(Duration),
}

impl GenericApiServer {
    /// Adds the paths that the first server of a chain has, and puts the filters in front.
    pub fn prepare_run(mut self, config: Config, lifecycle: LifecycleSignals) -> PreparedGenericApiServer {
        let metrics = Arc::new(Metrics::new(config.clock.now()));
        self.install_paths(&lifecycle, &metrics);
        let token = format!("{}{}", config.ids.uid(), config.ids.uid());
        let mut loopback_user = BearerTokens::default();
        loopback_user.insert(token.clone(), UserInfo::loopback());
        let (post_start_hooks, pre_shutdown_hooks) = (self.post_start_hooks(), self.pre_shutdown_hooks());
        let chain = ChainConfig {
            authenticator: Arc::new(UnionAuthenticator(vec![Arc::new(loopback_user), config.authenticator])),
            authorizer: config.authorizer,
            in_flight: config.in_flight,
            request_timeout: config.request_timeout,
            lifecycle: lifecycle.clone(),
            ids: config.ids,
            metrics,
        };
        let handler = filters::build_handler_chain(Arc::new(self), chain);
        let authorization = HeaderValue::from_str(&format!("Bearer {token}"));
        let loopback = Loopback {
            handler: handler.clone(),
            authorization: authorization.unwrap_or_else(|_| HeaderValue::from_static("")),
        };
        let loopback = Client::with_transport(Arc::new(loopback));
        PreparedGenericApiServer {
            handler,
            informers: SharedInformerFactory::new(Clientset::from_client(loopback)),
            clock: config.clock,
            lifecycle,
            post_start_hooks,
            pre_shutdown_hooks,
            drain_timeout: config.request_timeout,
        }
    }

    fn install_paths(&mut self, lifecycle: &LifecycleSignals, metrics: &Arc<Metrics>) {
        let stopping = lifecycle.shutdown_initiated.clone();
        self.add_readyz_check(HealthCheck::new("shutdown", move || {
            if stopping.is_cancelled() {
                Err("the server is stopping".to_owned())
            } else {
                Ok(())
            }
        }));
        let checks = self.health_checks();
        let mux = self.mux();
        checks.install(mux);
        openapi::install(mux);
        mux.handle("/metrics", Arc::new(MetricsHandler(metrics.clone())));
        mux.handle("/version", Arc::new(Version));
        mux.handle_unlisted("/version/", Arc::new(Version));
        let own = self.listed_paths();
        let index = Arc::new(Index {
            own,
            delegate: self.delegate().clone(),
        });
        let mux = self.mux();
        mux.handle_unlisted("/", index.clone());
        mux.handle_unlisted("/index.html", index);
    }
}

impl PreparedGenericApiServer {
    /// The whole handler chain, to be used without a network.
    pub fn handler(&self) -> &Arc<dyn Handler> {
        &self.handler
    }

    /// The server's client of itself.
    pub fn loopback(&self) -> &Clientset {
        self.informers.clientset()
    }

    /// Serves until `shutdown_initiated`, then stops in order: hooks, new connections, open requests, controllers.
    ///
    /// # Errors
    /// A hook failed, or requests did not end in time. The server has stopped in either case.
    pub async fn run(self, serving: SecureServing) -> Result<(), RunError> {
        let stop_serving = CancellationToken::new();
        let _stop_when_dropped = stop_serving.clone().drop_guard();
        let server = tokio::spawn(serving.serve(self.handler.clone(), stop_serving.clone()));
        let context = HookContext {
            informers: self.informers.clone(),
            clock: self.clock.clone(),
            lifecycle: self.lifecycle.clone(),
            tasks: TaskTracker::new(),
        };
        let started = tokio::select! {
            started = self.start(&context) => started,
            () = self.lifecycle.shutdown_initiated.cancelled() => Ok(()),
        };
        if started.is_ok() {
            self.lifecycle.shutdown_initiated.cancelled().await;
        }
        self.lifecycle.shutdown_initiated.cancel();
        let stopped = join_all(self.pre_shutdown_hooks.iter().map(PreShutdownHook::run)).await;
        stop_serving.cancel();
        let abort = server.abort_handle();
        let drained = tokio::time::timeout(self.drain_timeout, server).await;
        self.lifecycle.in_flight_requests_drained.cancel();
        self.informers.shutdown().await;
        context.tasks.close();
        context.tasks.wait().await;
        started?;
        for result in stopped {
            result?;
        }
        drained.map(drop).map_err(|_| {
            abort.abort();
            RunError::NotDrained(self.drain_timeout)
        })
    }

    async fn start(&self, context: &HookContext) -> Result<(), RunError> {
        try_join_all(self.post_start_hooks.iter().map(|hook| hook.run(context.clone()))).await?;
        self.lifecycle.has_been_ready.cancel();
        Ok(())
    }
}
