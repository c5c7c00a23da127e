//! A question to a node's admin endpoint, on a thread that may block.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream, ToSocketAddrs},
    time::Duration,
};

use model::Timestamp;
use serde::Deserialize;

use crate::verdict::Leadership;

/// How long connecting, and each read, may take. A node that stands still is asked in vain.
const PATIENCE: Duration = Duration::from_millis(700);
/// The longest answer that is read.
const ANSWER_MAX: u64 = 4 << 20;

#[derive(Deserialize)]
struct Status {
    cluster: Cluster,
}

#[derive(Deserialize)]
struct Watch {
    node: WatchOf,
}

#[derive(Deserialize)]
struct WatchOf {
    wall_ms: u64,
}

#[derive(Deserialize)]
struct Cluster {
    leader: Option<String>,
    term: u64,
}

#[derive(Deserialize)]
struct Readiness {
    ready: bool,
    reasons: Vec<String>,
}

/// Who leads, as this controller sees it.
pub(crate) fn leadership(endpoint: &str) -> io::Result<Option<Leadership>> {
    let (_, body) = get(endpoint, "/status")?;
    let status: Status = serde_json::from_str(&body)?;
    let Cluster { leader, term } = status.cluster;
    Ok(leader.map(|name| Leadership { name, term }))
}

/// What a node's wall clock shows.
pub(crate) fn wall(endpoint: &str) -> io::Result<Timestamp> {
    let (_, body) = get(endpoint, "/status")?;
    let status: Watch = serde_json::from_str(&body)?;
    Ok(Timestamp(status.node.wall_ms))
}

/// Why a node is not ready; nothing if it is.
pub(crate) fn unready(endpoint: &str) -> Option<String> {
    match get(endpoint, "/readyz") {
        Ok((200, _)) => None,
        Ok((_, body)) => Some(match serde_json::from_str::<Readiness>(&body) {
            Ok(readiness) if !readiness.ready => readiness.reasons.join("; "),
            _ => body.trim().to_owned(),
        }),
        Err(error) => Some(format!("no answer: {error}")),
    }
}

/// Status and body of a GET. `endpoint` is `host:port`, with or without `http://`.
fn get(endpoint: &str, path: &str) -> io::Result<(u16, String)> {
    let authority = endpoint.strip_prefix("http://").unwrap_or(endpoint);
    let authority = authority.trim_end_matches('/');
    let address: SocketAddr = authority
        .to_socket_addrs()?
        .next()
        .ok_or_else(|| io::Error::other("the name has no address"))?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // HTTP/1.0: the answer is not in chunks, and ends with the connection.
    let question = format!("GET {path} HTTP/1.0\r\nHost: {authority}\r\n\r\n");
    stream.write_all(question.as_bytes())?;
    let mut answer = String::new();
    stream.take(ANSWER_MAX).read_to_string(&mut answer)?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .ok_or_else(|| io::Error::other("the answer is not HTTP"))?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| io::Error::other("the answer has no status"))?;
    Ok((status, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Answers one question with this, and hands back what was asked.
    fn answering(answer: &'static str) -> (String, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}/", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // The question to its end: what is left unread when a socket is closed resets the connection.
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                asked.extend(byte);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(asked).unwrap()
        });
        (endpoint, server)
    }

    #[test]
    fn a_leader_is_read_from_a_status() {
        let (endpoint, server) = answering(
            "HTTP/1.0 200 OK\r\n\r\n{\"node\":{},\"cluster\":{\"leader\":\"b1\",\"term\":7,\"name\":\"x\"}}",
        );
        let leader = Leadership {
            name: "b1".to_owned(),
            term: 7,
        };
        assert_eq!(leadership(&endpoint).unwrap(), Some(leader));
        assert!(
            server
                .join()
                .unwrap()
                .starts_with("GET /status HTTP/1.0\r\n")
        );
    }

    #[test]
    fn a_wall_clock_is_read_from_a_status() {
        let (endpoint, _server) =
            answering("HTTP/1.0 200 OK\r\n\r\n{\"node\":{\"wall_ms\":17},\"cluster\":{}}");
        assert_eq!(wall(&endpoint).unwrap(), Timestamp(17));
    }

    #[test]
    fn a_node_that_is_not_ready_says_why() {
        let (endpoint, _server) =
            answering("HTTP/1.0 200 OK\r\n\r\n{\"ready\":true,\"reasons\":[]}");
        assert_eq!(unready(&endpoint), None);
        let (endpoint, _server) = answering(
            "HTTP/1.0 503 Unavailable\r\n\r\n{\"ready\":false,\"reasons\":[\"no catalog\",\"no leader\"]}",
        );
        assert_eq!(unready(&endpoint).unwrap(), "no catalog; no leader");
        let closed = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        assert!(
            unready(&closed.to_string())
                .unwrap()
                .starts_with("no answer: ")
        );
    }
}
