//! A server ready to run: handler chain, loopback client, hooks, and the way down.

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use kubewire_client::config::Config as ClientConfig;
use kubewire_client::{Client, Clientset, transport};
use kubewire_informers::SharedInformerFactory;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::clock::Clock;
use super::config::Config;
use super::debug_flags;
use super::delegation::{DelegationTarget, Handler};
use super::health::HealthCheck;
use super::hooks::{DuplicateHookError, HookContext, PostStartHook, PreShutdownHook, RunHookError};
use super::in_process::InProcess;
use super::index::{Index, Version};
use super::lifecycle::{LifecycleSignals, signal};
use super::metrics::{Metrics, MetricsHandler};
use super::openapi;
use super::pprof;
use super::request::{Request, Response, UserInfo};
use super::respond;
use super::server::GenericApiServer;
use super::serving::Serving;
use super::zpages::{Flagz, Statusz};
use crate::authentication::{BearerTokens, InsecureSuperuser, UnionAuthenticator};
use crate::filters::{self, ChainConfig, RequestsInFlight};
use crate::status::ApiError;

/// How long a client may take to notice that its connection ends. One that sends a request at that moment has to learn
/// that it was not taken, or it could not know whether to send it again; a busy one needs more than Go's second.
const GOODBYE: Duration = Duration::from_secs(5);

/// The paths that `/statusz` names.
const STATUS_PATHS: [&str; 7] = [
    "/flagz", "/healthz", "/livez", "/metrics", "/readyz", "/statusz", "/version",
];

/// The first server of a chain behind its filters. [`run`](Self::run) serves it.
pub struct PreparedGenericApiServer {
    handler: Arc<dyn Handler>,
    informers: SharedInformerFactory,
    clock: Clock,
    metrics: Arc<Metrics>,
    lifecycle: LifecycleSignals,
    post_start_hooks: Vec<PostStartHook>,
    pre_shutdown_hooks: Vec<PreShutdownHook>,
    drain_timeout: Duration,
    shutdown_delay: Duration,
    send_retry_after: bool,
    in_flight: RequestsInFlight,
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
    ///
    /// # Errors
    /// Two hooks have the same name.
    pub fn prepare_run(
        mut self,
        config: Config,
        lifecycle: LifecycleSignals,
    ) -> Result<PreparedGenericApiServer, DuplicateHookError> {
        if let Some(duplicate) = self.take_duplicate_hook() {
            return Err(duplicate);
        }
        let informers = Arc::default();
        self.install_paths(&lifecycle, &config, &informers);
        let token = format!("{}{}", config.ids.uid(), config.ids.uid());
        let mut loopback_user = BearerTokens::default();
        loopback_user.insert(token.clone(), UserInfo::loopback());
        let own_address = self.external_address().to_owned();
        let (post_start_hooks, pre_shutdown_hooks) = (self.post_start_hooks(), self.pre_shutdown_hooks());
        let in_flight = RequestsInFlight::default();
        let chain = ChainConfig {
            authenticator: Arc::new(UnionAuthenticator(vec![
                Arc::new(InsecureSuperuser),
                Arc::new(loopback_user),
                config.authenticator,
            ])),
            anonymous: config.anonymous,
            authorizer: config.authorizer,
            in_flight: config.in_flight,
            request_timeout: config.request_timeout,
            lifecycle: lifecycle.clone(),
            cors_allowed_origins: config.cors_allowed_origins,
            hsts_directives: config.hsts_directives,
            audit_log: config.audit_log,
            clock: config.clock.clone(),
            ids: config.ids,
            metrics: config.metrics.clone(),
            in_flight_requests: in_flight.clone(),
        };
        let handler = filters::build_handler_chain(Arc::new(self), chain);
        let loopback = InProcess::new(Arc::new(Own(Arc::downgrade(&handler)))).with_own_agent();
        // The token is made of hexadecimal digits: it fits into a header.
        let loopback = loopback.clone().with_token(&token).unwrap_or(loopback);
        let counted = ClientConfig::new("").with_metrics(config.metrics.of_client(&own_address));
        let loopback = Client::over(transport::from_service(loopback), &counted);
        let informers = informers
            .get_or_init(|| SharedInformerFactory::new(Clientset::from_client(loopback)))
            .clone();
        Ok(PreparedGenericApiServer {
            handler,
            informers,
            clock: config.clock,
            metrics: config.metrics,
            lifecycle,
            post_start_hooks,
            pre_shutdown_hooks,
            drain_timeout: config.request_timeout,
            shutdown_delay: config.shutdown_delay,
            send_retry_after: config.shutdown_send_retry_after,
            in_flight,
        })
    }

    fn install_paths(
        &mut self,
        lifecycle: &LifecycleSignals,
        config: &Config,
        informers: &Arc<OnceLock<SharedInformerFactory>>,
    ) {
        let stopping = lifecycle.shutdown_initiated.clone();
        self.add_readyz_check(HealthCheck::new("shutdown", move || {
            if stopping.is_cancelled() {
                Err("the server is stopping".to_owned())
            } else {
                Ok(())
            }
        }));
        let mut checks = self.health_checks();
        checks.insert_informer_sync(informer_sync(informers.clone()));
        checks.delay_livez(config.livez_grace_period);
        let descriptions = self.openapi_sources();
        let mux = self.mux();
        checks.install(mux);
        openapi::install(mux, descriptions);
        mux.handle(
            "/metrics",
            Arc::new(MetricsHandler {
                metrics: config.metrics.clone(),
                may_reset: config.profiling,
                started: config.clock.now(),
            }),
        );
        let flags = config.flags.clone();
        mux.handle("/flagz", Arc::new(Flagz { flags }));
        if let Some(level) = config.log_level.clone().filter(|_| config.profiling) {
            debug_flags::install(mux, level);
        }
        if config.profiling {
            pprof::install(mux);
        }
        mux.handle("/version", Arc::new(Version));
        mux.handle_unlisted("/version/", Arc::new(Version));
        let statusz = Statusz {
            started: config.clock.now(),
            clock: config.clock.clone(),
            paths: STATUS_PATHS.map(str::to_owned).to_vec(),
        };
        mux.handle("/statusz", Arc::new(statusz));
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
    /// The whole handler chain as a service; requests come from nobody unless it is told from whom.
    pub fn in_process(&self) -> InProcess {
        InProcess::new(self.handler.clone())
    }

    /// The server's client of itself.
    pub fn loopback(&self) -> &Clientset {
        self.informers.clientset()
    }

    /// What hooks get.
    pub(crate) fn hook_context(&self) -> HookContext {
        HookContext {
            informers: self.informers.clone(),
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
            lifecycle: self.lifecycle.clone(),
            tasks: TaskTracker::new(),
        }
    }

    /// Serves on these ports until `shutdown_initiated`, then stops: `/readyz` turns red, the delay passes while pre-shutdown hooks
    /// run, no new request is taken, open ones finish and watches end, the port is closed, controllers are joined.
    ///
    /// # Errors
    /// A hook failed, or requests did not end in time. The server has stopped in either case.
    pub async fn run(self, ports: impl IntoIterator<Item = Serving>) -> Result<(), RunError> {
        let stop_serving = CancellationToken::new();
        let _stop_when_dropped = stop_serving.clone().drop_guard();
        let hang_up = CancellationToken::new();
        let serve = |port: Serving| port.serve(self.handler.clone(), stop_serving.clone(), hang_up.clone());
        let server = tokio::spawn(join_all(ports.into_iter().map(serve)));
        let context = self.hook_context();
        let lifecycle = &self.lifecycle;
        let started = tokio::select! {
            started = self.start(&context) => started,
            () = lifecycle.shutdown_initiated.cancelled() => Ok(()),
        };
        if started.is_ok() {
            lifecycle.shutdown_initiated.cancelled().await;
            tracing::info!(signal = "ShutdownInitiated", "lifecycle");
        }
        signal(&lifecycle.shutdown_initiated, "ShutdownInitiated");
        let delay = async {
            tokio::time::sleep(self.shutdown_delay).await;
            signal(&lifecycle.after_shutdown_delay_duration, "AfterShutdownDelayDuration");
        };
        let hooks = async {
            let stopped = join_all(self.pre_shutdown_hooks.iter().map(PreShutdownHook::run)).await;
            signal(&lifecycle.pre_shutdown_hooks_stopped, "PreShutdownHooksStopped");
            stopped
        };
        let ((), stopped) = tokio::join!(delay, hooks);
        signal(&lifecycle.not_accepting_new_request, "NotAcceptingNewRequest");
        if !self.send_retry_after {
            stop_serving.cancel();
        }
        // With it, the port stays open to tell new requests to come back until the old ones have their answers.
        let drained = tokio::time::timeout(self.drain_timeout, self.in_flight.wait_idle()).await;
        signal(&lifecycle.in_flight_requests_drained, "InFlightRequestsDrained");
        stop_serving.cancel();
        let abort = server.abort_handle();
        // A client that does not read its end of the connection is not waited for.
        let server = async {
            tokio::pin!(server);
            if tokio::time::timeout(GOODBYE, &mut server).await.is_err() {
                hang_up.cancel();
                let _ = server.await;
            }
        };
        let closed = tokio::time::timeout(self.drain_timeout, server).await;
        signal(&lifecycle.http_server_stopped_listening, "HTTPServerStoppedListening");
        self.informers.shutdown().await;
        context.tasks.close();
        context.tasks.wait().await;
        started?;
        for result in stopped {
            result?;
        }
        drained.and(closed).map_err(|_| {
            abort.abort();
            RunError::NotDrained(self.drain_timeout)
        })
    }

    async fn start(&self, context: &HookContext) -> Result<(), RunError> {
        // Tasks of their own, so that all cores make the start short; dropping the set ends them.
        let mut hooks: JoinSet<_> = self
            .post_start_hooks
            .iter()
            .map(|hook| hook.clone().run(context.clone()))
            .collect();
        while let Some(hook) = hooks.join_next().await {
            // A panic of a hook is already an error of it.
            hook.unwrap_or(Ok(()))?;
        }
        signal(&self.lifecycle.has_been_ready, "HasBeenReady");
        Ok(())
    }
}

/// The server for its own client, which the server itself has: it must not keep the server alive.
struct Own(Weak<dyn Handler>);

#[async_trait]
impl Handler for Own {
    async fn handle(&self, request: Request) -> Response {
        match self.0.upgrade() {
            Some(handler) => handler.handle(request).await,
            None => {
                let stopped = ApiError::service_unavailable("the server has stopped");
                respond::error(&stopped, respond::error_format(&request))
            }
        }
    }
}

/// Ready only when every informer has its store filled.
fn informer_sync(informers: Arc<OnceLock<SharedInformerFactory>>) -> HealthCheck {
    HealthCheck::from_async("informer-sync", move || {
        let informers = informers.get().cloned();
        Box::pin(async move {
            let Some(informers) = informers else {
                return Err("not started".to_owned());
            };
            let synced = informers.wait_for_cache_sync_timeout(Duration::ZERO).await;
            synced.map_err(|error| error.to_string())
        })
    })
}
