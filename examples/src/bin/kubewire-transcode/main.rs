//! Kubernetes objects between protobuf, JSON and YAML; `--help` says more.

mod args;
mod built_in;
mod error;
mod input;
mod json;
mod object;
mod output;
mod place;
mod printed;
mod types;
mod yaml;

use std::io::{Read, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use crate::args::Args;
use crate::error::Error;
use crate::output::OutDir;

/// Room for documents that nest as deeply as they may.
const STACK: usize = 64 << 20;

fn main() -> ExitCode {
    let args = Args::parse();
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(move || run(&args));
    match thread.map(std::thread::JoinHandle::join) {
        Ok(Ok(code)) => code,
        Ok(Err(panic)) => std::panic::resume_unwind(panic),
        Err(error) => {
            eprintln!("cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Each input in turn.
fn run(args: &Args) -> ExitCode {
    let mut files: Vec<&Path> = args.files.iter().map(AsRef::as_ref).collect();
    if files.is_empty() {
        files.push(Path::new("-"));
    }
    let mut out_dir = args.out_dir.as_deref().map(|dir| OutDir::new(dir, args.to, &files));
    let mut code = ExitCode::SUCCESS;
    for (index, file) in files.into_iter().enumerate() {
        let written = transcode(file, args).and_then(|text| match &mut out_dir {
            Some(dir) => dir.write(file, &text),
            None => print(&text, index, args),
        });
        if let Err(error) = written {
            eprintln!("{}: {error}", name(file));
            code = ExitCode::FAILURE;
        }
    }
    code
}

/// The whole output of one input; nothing is written of an input that is broken.
fn transcode(file: &Path, args: &Args) -> Result<Vec<u8>, Error> {
    let input = read(file).map_err(Error::Read)?.into();
    let objects = input::objects(&input, args.from, args.object_type.as_ref())?;
    let (output, warnings) = output::render(&objects, args.to, args.keep_unknown)?;
    for warning in warnings {
        eprintln!("{}: warning: {warning}", name(file));
    }
    Ok(output)
}

fn read(file: &Path) -> std::io::Result<Vec<u8>> {
    if file != Path::new("-") {
        return std::fs::read(file);
    }
    let mut input = Vec::new();
    std::io::stdin().lock().read_to_end(&mut input)?;
    Ok(input)
}

fn print(text: &[u8], index: usize, args: &Args) -> Result<(), Error> {
    let mut stdout = std::io::stdout().lock();
    let separator: &[u8] = if index > 0 { output::separator(args.to) } else { b"" };
    let written = stdout.write_all(separator).and_then(|()| stdout.write_all(text));
    written.and_then(|()| stdout.flush()).map_err(|source| Error::Write {
        file: "standard output".into(),
        source,
    })
}

fn name(file: &Path) -> String {
    if file == Path::new("-") {
        "standard input".to_owned()
    } else {
        file.display().to_string()
    }
}
