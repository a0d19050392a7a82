//! The CSV file of `--token-auth-file`: `token,user,uid,"group1,group2"`, the groups being optional.

use std::path::{Path, PathBuf};

use crate::generic::request::UserInfo;

/// A token file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenFileError {
    /// The file cannot be read.
    #[error("read the token file {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line is wrong.
    #[error("token file {path}, line {line}: {reason}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// Reads a token file.
pub fn read_token_file(path: &Path) -> Result<Vec<(String, UserInfo)>, TokenFileError> {
    let text = std::fs::read_to_string(path).map_err(|source| TokenFileError::Read {
        path: path.to_owned(),
        source,
    })?;
    let mut users = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let user = user(line).map_err(|reason| TokenFileError::Line {
            path: path.to_owned(),
            line: index + 1,
            reason,
        })?;
        users.push(user);
    }
    Ok(users)
}

fn user(line: &str) -> Result<(String, UserInfo), &'static str> {
    let columns = columns(line).ok_or("a quoted column has no end")?;
    let [token, name, uid, rest @ ..] = columns.as_slice() else {
        return Err("expected at least 3 columns: token, user name, user uid");
    };
    if token.is_empty() {
        return Err("the token is empty");
    }
    let groups = rest.first().map(String::as_str).unwrap_or_default();
    let user = UserInfo {
        name: name.clone(),
        uid: uid.clone(),
        groups: groups
            .split(',')
            .map(str::trim)
            .filter(|group| !group.is_empty())
            .map(str::to_owned)
            .collect(),
        ..UserInfo::default()
    };
    Ok((token.clone(), user))
}

/// The columns of a CSV line; within quotes, commas count as text and two quotes as one.
fn columns(line: &str) -> Option<Vec<String>> {
    let (mut columns, mut column, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = line.trim_end().chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                column.push('"');
            }
            '"' if quoted || column.trim().is_empty() => quoted = !quoted,
            ',' if !quoted => columns.push(std::mem::take(&mut column).trim().to_owned()),
            c => column.push(c),
        }
    }
    columns.push(column.trim().to_owned());
    (!quoted).then_some(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_stand_in_quotes() {
        let (token, user) = user("t0k, ann ,7,\"dev,ops\"").unwrap();
        assert_eq!(
            (token.as_str(), user.name.as_str(), user.uid.as_str()),
            ("t0k", "ann", "7")
        );
        assert_eq!(user.groups, ["dev", "ops"]);
        assert_eq!(super::user("t,bob,8").unwrap().1.groups, [""; 0]);
        assert_eq!(columns("\"a\"\"b\",c").unwrap(), ["a\"b", "c"]);
        assert!(super::user("t,bob").is_err() && super::user(",bob,1").is_err() && super::user("\"t,bob,1").is_err());
    }

    #[test]
    fn errors_name_file_and_line() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "# users\nt,ann,1\nbroken\n").unwrap();
        let error = read_token_file(file.path()).unwrap_err().to_string();
        assert!(error.contains("line 3: expected at least 3 columns"), "{error}");
        assert!(read_token_file(Path::new("/nonexistent/tokens")).is_err());
    }
}
