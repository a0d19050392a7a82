//! Help, version, and how much is logged.

use crate::app::flags::{NamedFlagSets, Value};
use crate::generic::debug_flags::LogLevel;
use crate::generic::version;

/// What every program of Kubernetes has.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct GlobalOptions {
    /// Print the help and end.
    pub help: bool,
    /// Print the version and end.
    pub version: Version,
    /// How much is logged: 0 to 3 what is worth knowing, from 4 on every request, from 8 on everything. Default 0.
    pub verbosity: Verbosity,
    /// What there is to say about deprecated flags that were given; no flag.
    pub notices: Vec<String>,
    /// Changes how much is logged while the server runs; no flag.
    pub log_level: Option<LogLevel>,
}

/// The value of `--version`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// Nothing is printed.
    #[default]
    No,
    /// The version alone.
    Short,
    /// All that is known of the build.
    Raw,
}

/// The value of `-v`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verbosity(pub i64);

impl GlobalOptions {
    pub(super) fn add_flags<'a>(&'a mut self, flags: &mut NamedFlagSets<'a>) {
        flags.group("logs").add_short(
            "v",
            'v',
            &mut self.verbosity,
            "How much is logged: from 4 on every request, from 8 on everything. RUST_LOG says it in more detail.",
        );
        let global = flags.group("global");
        global.add_short("help", 'h', &mut self.help, "help for kube-apiserver");
        global.add(
            "version",
            &mut self.version,
            "Prints the version and ends; --version=raw prints all that is known of the build.",
        );
    }
}

impl Version {
    /// What is to be printed.
    pub fn output(self) -> Option<String> {
        let text = |info: &serde_json::Value| info.as_str().unwrap_or_default().to_owned();
        match self {
            Self::No => None,
            Self::Short => Some(format!("Kubernetes {}", version::GIT_VERSION)),
            Self::Raw => {
                let info = version::info();
                let fields = [
                    ("Major", "major"),
                    ("Minor", "minor"),
                    ("EmulationMajor", "emulationMajor"),
                    ("EmulationMinor", "emulationMinor"),
                    ("MinCompatibilityMajor", "minCompatibilityMajor"),
                    ("MinCompatibilityMinor", "minCompatibilityMinor"),
                    ("GitVersion", "gitVersion"),
                    ("GitCommit", "gitCommit"),
                    ("GitTreeState", "gitTreeState"),
                    ("BuildDate", "buildDate"),
                    ("GoVersion", "goVersion"),
                    ("Compiler", "compiler"),
                    ("Platform", "platform"),
                ];
                let fields = fields.map(|(name, key)| format!("{name}:{:?}", text(&info[key])));
                Some(format!("version.Info{{{}}}", fields.join(", ")))
            }
        }
    }
}

impl Value for Version {
    fn set(&mut self, text: &str, first: bool) -> Result<(), String> {
        *self = match text {
            "raw" => Self::Raw,
            text => {
                let mut wanted = false;
                wanted.set(text, first)?;
                if wanted { Self::Short } else { Self::No }
            }
        };
        Ok(())
    }

    fn text(&self) -> String {
        match self {
            Self::No => "false",
            Self::Short => "true",
            Self::Raw => "raw",
        }
        .to_owned()
    }

    fn type_name(&self) -> &'static str {
        "version"
    }

    fn without_text(&self) -> Option<&'static str> {
        Some("true")
    }
}

impl Verbosity {
    /// The filter of the log for this verbosity.
    pub fn log_filter(self) -> &'static str {
        match self.0 {
            ..=3 => "info",
            4..=7 => "debug",
            8.. => "trace",
        }
    }
}

impl Value for Verbosity {
    fn set(&mut self, text: &str, first: bool) -> Result<(), String> {
        self.0.set(text, first)
    }

    fn text(&self) -> String {
        self.0.text()
    }

    fn type_name(&self) -> &'static str {
        "Level"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Options;

    #[test]
    fn versions_are_written_as_the_original_writes_them() {
        let output = |argument: &str| {
            let options = Options::from_args([argument]).unwrap();
            options.global.version.output()
        };
        assert_eq!(
            output("--version"),
            Some(format!("Kubernetes {}", version::GIT_VERSION))
        );
        assert_eq!(output("--version=false"), None);
        let raw = output("--version=raw").unwrap();
        assert!(raw.starts_with("version.Info{Major:\"1\", Minor:\""), "{raw}");
        assert!(raw.ends_with("Platform:\"linux/amd64\"}"), "{raw}");
        assert!(Options::from_args(["--version=maybe"]).is_err());
    }
}
