//! The binary: parse, prepare, run until SIGTERM or SIGINT.

use std::error::Error;
use std::process::ExitCode;

use kubewire_server_stub::app::{Options, Server};
use kubewire_server_stub::generic::clock::{Clock, Ids};
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::from_command_line();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    match run(&options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{}", with_causes(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let server = Server::prepare(options, Clock::system(), Ids::random()).await?;
    let shutdown = server.lifecycle().shutdown_initiated.clone();
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        tracing::info!("stopping");
        shutdown.cancel();
    });
    println!("Serving on {}", server.url());
    match &options.kubeconfig.write_kubeconfig {
        Some(path) => println!("Use it: kubectl --kubeconfig {} get namespaces", path.display()),
        None => {
            println!("Start it with --write-kubeconfig PATH to use it with: kubectl --kubeconfig PATH get namespaces")
        }
    }
    server.run().await?;
    Ok(())
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
