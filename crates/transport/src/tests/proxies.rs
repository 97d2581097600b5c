//! Proxies: which data they see, and which data passes through them unseen.

use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::server::{Server, read_head};
use super::*;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Starts a proxy that tunnels one request to an address, and returns the head of its request.
async fn tunnel(to: String) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let proxy = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = read_head(&mut stream).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await.unwrap();
        let mut server = TcpStream::connect(to).await.unwrap();
        tokio::spawn(async move { copy_bidirectional(&mut stream, &mut server).await });
        head
    });
    (address, proxy)
}

#[tokio::test]
async fn a_plain_request_is_forwarded_with_the_credential_of_the_proxy() {
    let proxy = Server::start(None, OK).await;
    let proxies = Proxies::new(&format!("http://ann:p%40ss@{}", proxy.address), "", "", "");
    let client = client(tls(&[]).1, None, proxies);
    assert_eq!(text(client.send(get("http://api.invalid/a?b=c")).await.unwrap()).await, "ok");
    let head = &proxy.requests()[0];
    assert!(head.starts_with("GET http://api.invalid/a?b=c HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("host: api.invalid\r\n"), "{head}");
    assert!(head.contains("proxy-authorization: Basic YW5uOnBAc3M=\r\n"), "{head}");
}

#[tokio::test]
async fn a_request_with_tls_goes_through_a_tunnel_unseen() {
    let (server_tls, client_tls) = tls(&["http/1.1"]);
    let server = Server::start(Some(server_tls), OK).await;
    let (address, proxy) = tunnel(server.address.clone()).await;
    let proxies = Proxies::new("", &format!("http://ann:p%40ss@{address}"), "", "");
    let client = client(client_tls, None, proxies);
    let response = client.send(get("https://localhost/secret")).await.unwrap();
    assert_eq!(text(response).await, "ok");

    let to_proxy = proxy.await.unwrap();
    assert!(to_proxy.starts_with("CONNECT localhost:443 HTTP/1.1\r\n"), "{to_proxy}");
    assert!(to_proxy.contains("Proxy-Authorization: Basic YW5uOnBAc3M=\r\n"), "{to_proxy}");
    assert!(!to_proxy.contains("secret"), "{to_proxy}");
    let to_server = &server.requests()[0];
    assert!(to_server.starts_with("GET /secret HTTP/1.1\r\n"), "{to_server}");
    assert!(!to_server.to_lowercase().contains("proxy-authorization"), "{to_server}");
}

#[tokio::test]
async fn a_refusal_by_a_proxy_is_a_failed_connection() {
    let proxy = Server::start(None, "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await;
    let proxies = Proxies::new("", &format!("http://{}", proxy.address), "", "");
    let error = client(tls(&[]).1, None, proxies).send(get("https://api.invalid/")).await.unwrap_err();
    assert!(error.is_connect());
    assert!(chain(&error).contains("proxy authorization required"), "{}", chain(&error));
}

#[tokio::test]
async fn excluded_hosts_are_called_directly() {
    let (server, proxy) = (Server::start(None, OK).await, Server::start(None, OK).await);
    let proxies = Proxies::new("", "", &format!("http://{}", proxy.address), "127.0.0.1");
    client(tls(&[]).1, None, proxies).send(get(&format!("http://{}/", server.address))).await.unwrap();
    assert_eq!((server.requests().len(), proxy.requests().len()), (1, 0));
}

#[test]
fn no_proxy_is_read_as_curl_and_node_read_it() {
    let proxied = |no_proxy: &str, url: &str| {
        let proxies = Proxies::new("", "", "http://proxy.example:3128", no_proxy).unwrap();
        proxies.proxy_to(&url.parse().unwrap()).is_some()
    };
    for (no_proxy, directly, by_proxy) in [
        ("", &[][..], &["http://a.example", "http://10.0.0.7", "http://[::1]"][..]),
        ("*", &["http://a.example", "https://a.example:8443", "http://10.0.0.7", "http://[::1]:80"], &[]),
        (" * ", &["http://a.example", "http://10.0.0.7", "http://[2001:db8::1]"], &[]),
        ("a.example,*", &["http://b.example", "http://10.0.0.7"], &[]),
        (
            "*:8080",
            &["http://a.example:8080", "http://10.0.0.7:8080"],
            &["http://a.example", "http://10.0.0.7"],
        ),
        (
            "a.example",
            &[
                "http://a.example",
                "http://A.Example",
                "http://a.example.",
                "http://x.y.a.example:8080",
                "https://a.example",
            ],
            &["http://ba.example", "http://a.example.com", "http://example"],
        ),
        ("A.EXAMPLE", &["http://a.example", "http://x.a.example"], &["http://b.example"]),
        (".a.example", &["http://a.example", "http://x.a.example"], &["http://xa.example"]),
        (
            "*.a.example",
            &["http://x.a.example", "http://x.y.a.example."],
            &["http://a.example", "http://xa.example"],
        ),
        (
            "a.example.",
            &["http://a.example", "http://a.example.", "http://x.a.example"],
            &["http://a.example.com"],
        ),
        (".a.example.", &["http://a.example", "http://x.a.example"], &[]),
        (
            "a.example:8080",
            &["http://a.example:8080", "https://x.a.example:8080"],
            &["http://a.example", "https://a.example"],
        ),
        ("a.example:80", &["http://a.example", "http://a.example:80"], &["https://a.example"]),
        ("a.example:443", &["https://a.example", "https://a.example:443"], &["http://a.example"]),
        (".a.example:8080", &["http://x.a.example:8080"], &["http://x.a.example"]),
        ("*.a.example:8080", &["http://x.a.example:8080"], &["http://a.example:8080"]),
        ("a.example.:8080", &["http://a.example:8080"], &["http://a.example"]),
        (" a.example , b.example ", &["http://a.example", "http://b.example"], &["http://c.example"]),
        (
            "a.example b.example\tc.example",
            &["http://a.example", "http://b.example", "http://c.example"],
            &["http://d.example"],
        ),
        (",, a.example,,", &["http://a.example"], &["http://b.example"]),
        ("localhost", &["http://localhost:3000", "http://app.localhost"], &["http://127.0.0.1"]),
        (
            "10.0.0.7",
            &["http://10.0.0.7", "https://10.0.0.7:8443"],
            &["http://10.0.0.70", "http://110.0.0.7"],
        ),
        ("10.0.0.7:8080", &["http://10.0.0.7:8080"], &["http://10.0.0.7"]),
        (" 10.0.0.7 ", &["http://10.0.0.7"], &[]),
        ("10.0.0.7.", &["http://10.0.0.7"], &[]),
        ("10.0.0.0/8", &["http://10.255.0.1"], &["http://11.0.0.1", "http://a.example"]),
        ("10.1.2.3/8", &["http://10.255.0.1"], &["http://11.0.0.1"]),
        (
            "192.168.1.10-192.168.1.20",
            &["http://192.168.1.10", "http://192.168.1.15", "http://192.168.1.20"],
            &["http://192.168.1.9", "http://192.168.1.21", "http://[::1]"],
        ),
        ("0.0.0.0/0", &["http://10.0.0.7"], &["http://[::1]", "http://a.example"]),
        ("::/0", &["http://[2001:db8::1]"], &["http://10.0.0.7", "http://a.example"]),
        ("10.0.0.0/8:8080", &["http://10.0.0.7:8080"], &["http://10.0.0.7"]),
        ("a.example:99999", &[], &["http://a.example"]),
        ("a.example:*", &[], &["http://b.example"]),
        ("10.0.0.0/33", &[], &["http://10.0.0.1"]),
        ("::1", &["http://[::1]", "http://[0:0:0:0:0:0:0:1]:8080"], &["http://[::2]", "http://127.0.0.1"]),
        ("[::1]", &["http://[::1]", "http://[::1]:8080"], &["http://[::2]"]),
        ("[::1]:8080", &["http://[::1]:8080"], &["http://[::1]"]),
        ("2001:db8::/32", &["http://[2001:db8:1::1]"], &["http://[2001:db9::1]"]),
        ("[2001:DB8::]/32", &["http://[2001:db8:1::1]"], &[]),
        ("10.0.0.7", &["http://[::ffff:10.0.0.7]"], &["http://[::ffff:10.0.0.8]"]),
        ("::ffff:10.0.0.7", &["http://10.0.0.7"], &[]),
        ("my_host", &["http://my_host"], &["http://my-host"]),
        ("b\u{fc}cher.example", &["http://xn--bcher-kva.example"], &["http://b.example"]),
        ("a.example:", &[], &["http://b.example"]),
        (
            "a.example:x,:,/,[,],-,.,*.,b.example",
            &["http://b.example"],
            &["http://c.example", "http://10.0.0.1"],
        ),
    ] {
        for url in directly {
            assert!(!proxied(no_proxy, url), "NO_PROXY={no_proxy:?}: {url} goes directly");
        }
        for url in by_proxy {
            assert!(proxied(no_proxy, url), "NO_PROXY={no_proxy:?}: {url} goes by the proxy");
        }
    }
}
