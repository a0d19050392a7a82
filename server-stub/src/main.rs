//! The binary: parse, validate, prepare, run until SIGTERM or SIGINT. Under the name `etcd` it is a
//! stand-in for that, under the name `kube-apiserver` it leaves to others what that leaves to others.

use std::error::Error;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use kubewire_server_stub::app::{Options, Server, options::Verbosity};
use kubewire_server_stub::envtest::{self, etcd};
use kubewire_server_stub::generic::clock::{Clock, Ids};
use kubewire_server_stub::generic::debug_flags::LogLevel;
use kubewire_server_stub::generic::version::GIT_VERSION;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Documents are many small allocations: with the system's allocator they take a third of the time of a write.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args();
    let program = arguments.next().unwrap_or_default();
    let is_called = |name: &str| Path::new(&program).file_name().is_some_and(|file| file == name);
    let mut arguments = arguments.peekable();
    let result = match arguments.peek().map(String::as_str) {
        _ if is_called("etcd") => run_etcd(arguments.collect()).await,
        Some("etcd") => run_etcd(arguments.skip(1).collect()).await,
        Some("assets") => lay_out_assets(arguments.skip(1).collect()),
        _ if is_called("kube-apiserver") => run_server(Options::kube_apiserver(), arguments.collect()).await,
        _ => run_server(Options::default(), arguments.collect()).await,
    };
    result.unwrap_or_else(|code| code)
}

/// The exit code in either case: what went wrong has been said.
type Outcome = Result<ExitCode, ExitCode>;

async fn run_server(defaults: Options, arguments: Vec<String>) -> Outcome {
    let mut options = defaults.with_args(arguments).map_err(usage_error)?;
    let help = options.global.help.then(Options::help);
    if let Some(text) = help.or_else(|| options.global.version.output()) {
        return print(&text);
    }
    for notice in &options.global.notices {
        let _ = writeln!(std::io::stderr(), "{notice}");
    }
    options.global.log_level = Some(start_log(options.global.verbosity));
    tracing::info!(
        "Version: {GIT_VERSION} (kubewire-server-stub {})",
        env!("CARGO_PKG_VERSION")
    );
    let run = async {
        let server = Server::prepare(&options, Clock::system(), Ids::random()).await?;
        stop_on_signal(server.lifecycle().shutdown_initiated.clone())?;
        let _ = print(&greeting(&server, &options));
        server.run().await.map_err(Into::into)
    };
    run.await.map_err(command_failed)?;
    Ok(ExitCode::SUCCESS)
}

async fn run_etcd(arguments: Vec<String>) -> Outcome {
    let options = etcd::Options::from_args(arguments).map_err(usage_error)?;
    if options.help {
        return print(&etcd::Options::help());
    }
    if options.version {
        return print(&format!("etcd Version: {} (kubewire stand-in)", etcd::VERSION));
    }
    start_log(Verbosity::default());
    let stop = CancellationToken::new();
    let run = async {
        stop_on_signal(stop.clone())?;
        options.run(stop.clone()).await.map_err(Into::into)
    };
    run.await.map_err(command_failed)?;
    Ok(ExitCode::SUCCESS)
}

/// `assets DIR`: lays out a folder for `KUBEBUILDER_ASSETS`.
fn lay_out_assets(arguments: Vec<String>) -> Outcome {
    let [folder] = arguments.as_slice() else {
        return Err(usage_error("usage: kubewire-server-stub assets DIR"));
    };
    let search_path: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
    let lay_out = || {
        let program = std::env::current_exe()?;
        envtest::lay_out(Path::new(folder), &program, &search_path)?;
        let folder = Path::new(folder).canonicalize()?;
        Ok(format!("KUBEBUILDER_ASSETS={}", folder.display()))
    };
    let said = lay_out().map_err(|error: Box<dyn Error>| usage_error(with_causes(&*error)))?;
    print(&said)
}

/// Starts the log, whose verbosity can be changed later.
fn start_log(verbosity: Verbosity) -> LogLevel {
    let filter = EnvFilter::try_from_default_env();
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter.unwrap_or_else(|_| EnvFilter::new(verbosity.log_filter())))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_filter_reloading();
    let filter = log.reload_handle();
    log.init();
    LogLevel::new(move |level| {
        let changed = filter.reload(EnvFilter::new(Verbosity(level).log_filter()));
        changed.map_err(|error| error.to_string())
    })
}

/// The first signal asks for a stop, the second one is one.
fn stop_on_signal(stop: CancellationToken) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            }
        };
        // Waiting must not depend on what is logged.
        let signal = next().await;
        tracing::info!("received {signal}, stopping; another one stops at once");
        stop.cancel();
        let signal = next().await;
        tracing::warn!("received {signal} again, stopping at once");
        std::process::exit(1);
    });
    Ok(())
}

fn greeting(server: &Server, options: &Options) -> String {
    let use_it = match &options.kubeconfig.write_kubeconfig {
        Some(path) => format!("Use it: kubectl --kubeconfig {} get namespaces", path.display()),
        None => {
            "Start it with --write-kubeconfig PATH to use it with: kubectl --kubeconfig PATH get namespaces".to_owned()
        }
    };
    format!("Serving on {}\n{use_it}", server.url())
}

fn print(text: &str) -> Outcome {
    // Whoever started the program may have stopped listening.
    let _ = writeln!(std::io::stdout(), "{text}");
    Ok(ExitCode::SUCCESS)
}

fn usage_error(error: impl std::fmt::Display) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "Error: {error}");
    ExitCode::FAILURE
}

fn command_failed(error: Box<dyn Error>) -> ExitCode {
    tracing::error!(error = with_causes(&*error), "command failed");
    ExitCode::FAILURE
}

fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
