//! A port without TLS on which everybody is an administrator. It is off unless it is asked for, and only programs on
//! the same machine reach it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::app::AppError;
use crate::app::flags::FlagSet;
use crate::generic::serving::Serving;

const DEPRECATED: &str = "whoever reaches the port may do everything.";

/// The port without TLS.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct InsecureServingOptions {
    /// A loopback address. Default 127.0.0.1.
    pub insecure_bind_address: IpAddr,
    /// The port; 0 for none. Default none.
    pub insecure_port: i64,
    /// Listen on any free port instead. No flag: whoever starts the program would not know which.
    pub any_free_port: bool,
}

impl Default for InsecureServingOptions {
    fn default() -> Self {
        Self {
            insecure_bind_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            insecure_port: 0,
            any_free_port: false,
        }
    }
}

impl InsecureServingOptions {
    /// The help does not show them: tools that start API servers tell by it whether they have to give them.
    pub(super) fn add_flags<'a>(&'a mut self, flags: &mut FlagSet<'a>) {
        flags.add(
            "insecure-bind-address",
            &mut self.insecure_bind_address,
            "Loopback address on which to listen for --insecure-port.",
        );
        flags.add(
            "insecure-port",
            &mut self.insecure_port,
            "Port on which to serve without TLS, authentication and authorization. 0 for none.",
        );
        for name in ["insecure-bind-address", "insecure-port"] {
            flags.deprecate(name, DEPRECATED);
        }
    }

    pub(super) fn validate(&self, errors: &mut Vec<String>) {
        if !(0..=65535).contains(&self.insecure_port) {
            errors.push(format!(
                "--insecure-port {} must be between 0 and 65535, inclusive. 0 for turning off insecure (HTTP) port",
                self.insecure_port
            ));
        }
        if !self.insecure_bind_address.is_loopback() {
            errors.push(format!(
                "--insecure-bind-address {} must be a loopback address: whoever reaches it may do everything",
                self.insecure_bind_address
            ));
        }
    }

    /// The open port, if there is to be one.
    pub(crate) async fn bind(&self) -> Result<Option<Serving>, AppError> {
        let port = u16::try_from(self.insecure_port).unwrap_or_default();
        if port == 0 && !self.any_free_port {
            return Ok(None);
        }
        let address = SocketAddr::new(self.insecure_bind_address, port);
        Ok(Some(Serving::bind_insecure(address).await?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn is_off_by_default_and_for_the_same_machine_only() {
        let options = InsecureServingOptions::default();
        assert!(options.bind().await.unwrap().is_none());
        let wrong = InsecureServingOptions {
            insecure_bind_address: [0, 0, 0, 0].into(),
            insecure_port: 65536,
            ..options
        };
        let mut errors = Vec::new();
        wrong.validate(&mut errors);
        assert_eq!(
            errors,
            [
                "--insecure-port 65536 must be between 0 and 65535, inclusive. 0 for turning off insecure (HTTP) port",
                "--insecure-bind-address 0.0.0.0 must be a loopback address: whoever reaches it may do everything",
            ]
        );
    }
}
