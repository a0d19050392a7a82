//! `/healthz`, `/livez` and `/readyz`: each check by itself, and all together with `?verbose` and `?exclude=`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};

use super::delegation::{Handler, text};
use super::mux::PathRecorderMux;
use super::request::{Request, Response, full};
use crate::endpoints::Query;
use crate::field_error::quote;

/// How long a log line may take to get out.
const LOG_TIMEOUT: Duration = Duration::from_secs(2);

/// One thing that must be well for the server to be well.
#[derive(Clone)]
pub struct HealthCheck {
    name: String,
    check: Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>,
}

impl HealthCheck {
    /// A check that answers at once; the error says what is wrong.
    pub fn new(name: impl Into<String>, check: impl Fn() -> Result<(), String> + Send + Sync + 'static) -> Self {
        Self::from_async(name, move || {
            let result = check();
            Box::pin(async move { result })
        })
    }

    /// A check that asks something else first.
    pub fn from_async(
        name: impl Into<String>,
        check: impl Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            check: Arc::new(check),
        }
    }

    /// A check that is always well: the server answers at all.
    pub fn ping() -> Self {
        Self::new("ping", || Ok(()))
    }

    /// A check that log lines can be written: whoever reads them still does.
    pub fn log() -> Self {
        Self::from_async("log", || {
            Box::pin(async {
                let flush = tokio::task::spawn_blocking(|| std::io::stderr().flush());
                match tokio::time::timeout(LOG_TIMEOUT, flush).await {
                    Ok(_) => Ok(()),
                    Err(_) => Err("logging blocked".to_owned()),
                }
            })
        })
    }

    /// The name, the last part of the check's own path.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// The checks behind the three endpoints, in the order in which they are shown.
#[derive(Clone, Default)]
pub struct HealthChecks {
    pub(crate) healthz: Vec<HealthCheck>,
    pub(crate) livez: Vec<HealthCheck>,
    pub(crate) readyz: Vec<HealthCheck>,
}

impl HealthChecks {
    /// Adds a check to all three; a second one of the same name is left out.
    pub fn add(&mut self, check: HealthCheck) {
        self.add_readyz(check.clone());
        for checks in [&mut self.healthz, &mut self.livez] {
            if checks.iter().all(|c| c.name != check.name) {
                checks.push(check.clone());
            }
        }
    }

    /// Adds a check to `/readyz` only: the server is alive without it.
    pub fn add_readyz(&mut self, check: HealthCheck) {
        if self.readyz.iter().all(|c| c.name != check.name) {
            self.readyz.push(check);
        }
    }

    /// Adds the check of the informers to `/readyz`, before those of hooks.
    pub(crate) fn insert_informer_sync(&mut self, check: HealthCheck) {
        let hooks = self
            .readyz
            .iter()
            .position(|check| check.name.starts_with("poststarthook/"));
        self.readyz.insert(hooks.unwrap_or(self.readyz.len()), check);
    }

    /// Gives hooks some time before `/livez` counts them.
    pub(crate) fn delay_livez(&mut self, grace_period: Duration) {
        let end = tokio::time::Instant::now() + grace_period;
        for check in self
            .livez
            .iter_mut()
            .filter(|check| check.name.starts_with("poststarthook/"))
        {
            let inner = check.check.clone();
            check.check = Arc::new(move || match tokio::time::Instant::now() < end {
                true => Box::pin(async { Ok(()) }),
                false => inner(),
            });
        }
    }

    /// Serves the endpoints.
    pub(crate) fn install(self, mux: &mut PathRecorderMux) {
        for (endpoint, checks) in [
            ("healthz", self.healthz),
            ("livez", self.livez),
            ("readyz", self.readyz),
        ] {
            for check in &checks {
                mux.handle(
                    format!("/{endpoint}/{}", check.name),
                    Arc::new(SingleCheck(check.clone())),
                );
            }
            mux.handle(format!("/{endpoint}"), Arc::new(RootCheck { endpoint, checks }));
        }
    }
}

struct SingleCheck(HealthCheck);

#[async_trait]
impl Handler for SingleCheck {
    async fn handle(&self, _: Request) -> Response {
        match (self.0.check)().await {
            Ok(()) => {
                let mut response = Response::new(full("ok"));
                let plain = HeaderValue::from_static("text/plain; charset=utf-8");
                response.headers_mut().insert(CONTENT_TYPE, plain);
                response
            }
            Err(error) => {
                let message = format!("internal server error: {error}\n");
                text(StatusCode::INTERNAL_SERVER_ERROR, message)
            }
        }
    }
}

struct RootCheck {
    endpoint: &'static str,
    checks: Vec<HealthCheck>,
}

#[async_trait]
impl Handler for RootCheck {
    async fn handle(&self, request: Request) -> Response {
        let query = Query::parse(request.uri().query().unwrap_or_default());
        let mut excluded: BTreeSet<&str> = query.all("exclude").into_iter().collect();
        let (mut output, mut failed) = (String::new(), false);
        for HealthCheck { name, check } in &self.checks {
            if excluded.remove(name.as_str()) {
                let _ = writeln!(output, "[+]{name} excluded: ok");
            } else if let Err(error) = check().await {
                // The endpoint is public: details go to the log only.
                tracing::warn!(check = %name, %error, "{} check failed", self.endpoint);
                let _ = writeln!(output, "[-]{name} failed: reason withheld");
                failed = true;
            } else {
                let _ = writeln!(output, "[+]{name} ok");
            }
        }
        if !excluded.is_empty() {
            let names: Vec<String> = excluded.into_iter().map(quote).collect();
            let names = names.join(", ");
            let _ = writeln!(
                output,
                "warn: some health checks cannot be excluded: no matches for {names}"
            );
        }
        if failed {
            let _ = writeln!(output, "{} check failed", self.endpoint);
            return text(StatusCode::INTERNAL_SERVER_ERROR, output);
        }
        if query.first("verbose").is_none() {
            return text(StatusCode::OK, "ok");
        }
        let _ = writeln!(output, "{} check passed", self.endpoint);
        text(StatusCode::OK, output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generic::request::empty;
    use http_body_util::BodyExt;

    async fn get(mux: &PathRecorderMux, target: &str) -> (u16, String) {
        let request = http::Request::get(target).body(empty()).unwrap();
        let handler = mux.find(request.uri().path()).unwrap();
        let response = handler.handle(request).await;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    fn mux(etcd: Result<(), String>) -> PathRecorderMux {
        let mut checks = HealthChecks::default();
        checks.add(HealthCheck::ping());
        checks.add(HealthCheck::ping());
        checks.add_readyz(HealthCheck::new("etcd", move || etcd.clone()));
        let mut mux = PathRecorderMux::default();
        checks.install(&mut mux);
        mux
    }

    #[tokio::test]
    async fn tells_about_each_check_when_asked() {
        let mux = mux(Ok(()));
        assert_eq!(get(&mux, "/readyz").await, (200, "ok".into()));
        assert_eq!(get(&mux, "/readyz/etcd").await, (200, "ok".into()));
        assert_eq!(get(&mux, "/livez?verbose").await.1, "[+]ping ok\nlivez check passed\n");
        assert_eq!(
            get(&mux, "/readyz?verbose&exclude=etcd&exclude=nosuch").await.1,
            "[+]ping ok\n[+]etcd excluded: ok\nwarn: some health checks cannot be excluded: no matches for \"nosuch\"\n\
             readyz check passed\n"
        );
        assert!(mux.find("/livez/etcd").is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn hooks_have_some_time_before_the_server_counts_as_dead() {
        let mut checks = HealthChecks::default();
        checks.add(HealthCheck::new("poststarthook/slow", || Err("not finished".into())));
        checks.add(HealthCheck::log());
        checks.delay_livez(Duration::from_secs(10));
        let mut mux = PathRecorderMux::default();
        checks.install(&mut mux);
        assert_eq!(get(&mux, "/livez").await.0, 200);
        assert_eq!(get(&mux, "/readyz").await.0, 500);
        tokio::time::advance(Duration::from_secs(11)).await;
        assert_eq!(get(&mux, "/livez/poststarthook/slow").await.0, 500);
    }

    #[tokio::test]
    async fn a_failure_is_named_but_not_explained() {
        let mux = mux(Err("disk full".into()));
        let failed = "[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n";
        assert_eq!(get(&mux, "/readyz").await, (500, failed.into()));
        assert_eq!(get(&mux, "/healthz").await, (200, "ok".into()));
        assert_eq!(
            get(&mux, "/readyz/etcd").await,
            (500, "internal server error: disk full\n".into())
        );
    }
}
