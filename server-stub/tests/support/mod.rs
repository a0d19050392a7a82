//! A server with an administrator who has a token.

use kubewire_server_stub::generic::request::UserInfo;
use kubewire_server_stub::testing::{Options, Server};

/// The administrator's token.
pub(crate) const TOKEN: &str = "administrator";

/// A server that lets the administrator in.
pub(crate) async fn start() -> Server {
    let user = UserInfo {
        name: "admin".to_owned(),
        groups: vec!["system:masters".to_owned(), "system:authenticated".to_owned()],
        ..UserInfo::default()
    };
    Server::start(Options::default().with_token(TOKEN, user)).await.unwrap()
}
