//! One client in several runtimes, each of which may end.

use tokio::runtime::{Builder, Runtime};

use super::server::Server;
use super::{get, plain_client, text};

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn each_runtime_keeps_connections_of_its_own() {
    let servers = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = servers.block_on(Server::start(None, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"));
    let client = plain_client();
    let ask =
        || async { text(client.send(get(&format!("http://{}/", server.address))).await.unwrap()).await };

    let (first, second) = (runtime(), runtime());
    for (runtime, connections) in [(&first, 1), (&first, 1), (&second, 2), (&first, 2), (&second, 2)] {
        assert_eq!(runtime.block_on(ask()), "hi");
        assert_eq!(server.connections(), connections);
    }
    // The first runtime's connections have ended with it, and the other runtimes do not need them.
    drop(first);
    assert_eq!(second.block_on(ask()), "hi");
    assert_eq!(runtime().block_on(ask()), "hi");
    assert_eq!((server.connections(), server.requests().len()), (3, 7));
    assert_eq!(client.pools.read().unwrap().len(), 2, "of the first, nothing is left");
}
