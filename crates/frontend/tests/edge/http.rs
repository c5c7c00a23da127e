//! HTTP/1.1 by hand, so that nothing between test and frontend is polite.

use std::{io::Write as _, net::SocketAddr, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::cluster::Cluster;

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// Status and name of an error.
    pub(crate) fn error(&self) -> (u16, &str) {
        (self.status, self.header("x-amzn-errortype").unwrap_or(""))
    }
}

/// Sends bytes and reads until the server closes.
pub(crate) async fn exchange(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // A server that refuses early may close before it has read everything.
        drop(stream.write_all(bytes).await);
        let mut reply = Vec::new();
        drop(stream.read_to_end(&mut reply).await);
        reply
    };
    tokio::time::timeout(Duration::from_secs(20), exchange)
        .await
        .expect("the server answers")
}

pub(crate) fn parse(reply: &[u8]) -> Reply {
    let head = reply
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .unwrap_or_else(|| panic!("no head in {:?}", String::from_utf8_lossy(reply)));
    let text = String::from_utf8(reply[..head].to_vec()).unwrap();
    let mut lines = text.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let headers = lines
        .map(|l| l.split_once(':').unwrap())
        .map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned()))
        .collect();
    let mut reply = Reply {
        status: status.parse().unwrap(),
        headers,
        body: reply[head + 4..].to_vec(),
    };
    if reply.header("transfer-encoding") == Some("chunked") {
        reply.body = unchunk(&reply.body);
    }
    reply
}

/// The content of a chunked body, as far as it came.
fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    while let Some(line) = rest.windows(2).position(|w| w == b"\r\n") {
        let size = std::str::from_utf8(&rest[..line]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        let chunk = &rest[line + 2..];
        if size == 0 || chunk.len() < size + 2 {
            break;
        }
        content.extend_from_slice(&chunk[..size]);
        rest = &chunk[size + 2..];
    }
    content
}

pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
    for (name, value) in headers {
        bytes += &format!("{name}: {value}\r\n");
    }
    if !body.is_empty() {
        bytes += &format!("content-length: {}\r\n", body.len());
    }
    [bytes.as_bytes(), b"\r\n", body].concat()
}

/// A zip with one file.
pub(crate) fn zip(content: &str) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    writer.start_file("h.py", options).unwrap();
    writer.write_all(content.as_bytes()).unwrap();
    writer.finish().unwrap().into_inner()
}

impl Cluster {
    pub(crate) async fn http(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        parse(&exchange(self.public, &request(method, path, headers, body)).await)
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.http("GET", path, &[], b"").await
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: &Value) -> Reply {
        let body = body.to_string();
        self.http(
            method,
            path,
            &[("content-type", "application/json")],
            body.as_bytes(),
        )
        .await
    }

    /// Creates a function; more members may be given.
    pub(crate) async fn create(&self, name: &str, more: &Value) -> Reply {
        let mut body = json!({
            "FunctionName": name,
            "Role": "arn:aws:iam::000000000000:role/r",
            "Runtime": "python3.13",
            "Handler": "h.handler",
            "Code": { "ZipFile": STANDARD.encode(zip("v1")) },
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        self.send("POST", "/2015-03-31/functions", &body).await
    }

    pub(crate) async fn invoke(
        &self,
        name: &str,
        headers: &[(&str, &str)],
        payload: &str,
    ) -> Reply {
        let path = format!("/2015-03-31/functions/{name}/invocations");
        self.http("POST", &path, headers, payload.as_bytes()).await
    }
}
