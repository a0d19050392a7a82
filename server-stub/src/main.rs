//! The binary: parse, validate, prepare, run until SIGTERM or SIGINT.

use std::error::Error;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use kubewire_server_stub::app::{Options, Server};
use kubewire_server_stub::generic::clock::{Clock, Ids};
use kubewire_server_stub::generic::version::GIT_VERSION;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> ExitCode {
    let options = match Options::from_args(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("Error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let help = options.global.help.then(Options::help);
    if let Some(text) = help.or_else(|| options.global.version.output()) {
        print(&format!("{text}\n"));
        return ExitCode::SUCCESS;
    }
    let filter = EnvFilter::try_from_default_env();
    tracing_subscriber::fmt()
        .with_env_filter(filter.unwrap_or_else(|_| EnvFilter::new(options.global.verbosity.log_filter())))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    tracing::info!(
        "Version: {GIT_VERSION} (kubewire-server-stub {})",
        env!("CARGO_PKG_VERSION")
    );
    match run(&options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = with_causes(&*error), "command failed");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let server = Server::prepare(options, Clock::system(), Ids::random()).await?;
    let shutdown = server.lifecycle().shutdown_initiated.clone();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            }
        };
        tracing::info!("received {}, stopping; another one stops at once", next().await);
        shutdown.cancel();
        tracing::warn!("received {} again, stopping at once", next().await);
        std::process::exit(1);
    });
    print(&greeting(&server, options));
    server.run().await?;
    Ok(())
}

fn greeting(server: &Server, options: &Options) -> String {
    let use_it = match &options.kubeconfig.write_kubeconfig {
        Some(path) => format!("Use it: kubectl --kubeconfig {} get namespaces", path.display()),
        None => {
            "Start it with --write-kubeconfig PATH to use it with: kubectl --kubeconfig PATH get namespaces".to_owned()
        }
    };
    format!("Serving on {}\n{use_it}\n", server.url())
}

fn print(text: &str) {
    // Whoever started the program may have stopped listening.
    let _ = std::io::stdout().write_all(text.as_bytes());
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
