//! `KUBEBUILDER_ASSETS`: a folder with `kube-apiserver`, `etcd` and, if there is one, `kubectl`.

use std::io;
use std::path::{Path, PathBuf};

/// A folder that cannot be laid out.
#[derive(Debug, thiserror::Error)]
#[error("lay out {path}")]
pub struct AssetsError {
    path: PathBuf,
    source: io::Error,
}

/// Lays out the folder: `program` under both names, and a link to the first `kubectl` in `search_path`. What was laid
/// out before is replaced.
pub fn lay_out(folder: &Path, program: &Path, search_path: &[PathBuf]) -> Result<(), AssetsError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        |source| AssetsError { path, source }
    };
    std::fs::create_dir_all(folder).map_err(failed(folder))?;
    let server = folder.join("kube-apiserver");
    replace(&server, |path| std::fs::copy(program, path).map(drop)).map_err(failed(&server))?;
    let etcd = folder.join("etcd");
    replace(&etcd, |path| std::fs::hard_link(&server, path)).map_err(failed(&etcd))?;
    let kubectl = folder.join("kubectl");
    let installed = search_path.iter().map(|folder| folder.join("kubectl"));
    let installed = installed.filter(|path| *path != kubectl).find(|path| path.is_file());
    if let Some(installed) = installed {
        replace(&kubectl, |path| link(&installed, path)).map_err(failed(&kubectl))?;
    }
    Ok(())
}

/// Makes the file under another name first: a program that runs cannot be written to.
fn replace(path: &Path, make: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = PathBuf::from(temporary);
    make(&temporary)?;
    std::fs::rename(&temporary, path)
}

#[cfg(unix)]
fn link(target: &Path, path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, path)
}

#[cfg(not(unix))]
fn link(target: &Path, path: &Path) -> io::Result<()> {
    std::fs::copy(target, path).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_programs_and_kubectl() {
        let work = tempfile::tempdir().unwrap();
        let (program, tools, folder) = (
            work.path().join("p"),
            work.path().join("tools"),
            work.path().join("assets"),
        );
        std::fs::write(&program, "program").unwrap();
        std::fs::create_dir(&tools).unwrap();
        std::fs::write(tools.join("kubectl"), "kubectl").unwrap();
        for _ in 0..2 {
            lay_out(&folder, &program, &[folder.clone(), tools.clone()]).unwrap();
        }
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        assert_eq!(
            [read("kube-apiserver"), read("etcd"), read("kubectl")],
            ["program", "program", "kubectl"]
        );
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 3);
        std::fs::remove_file(&program).unwrap();
        assert!(lay_out(&folder, &program, &[]).is_err());
    }
}
