//! Reads responses off a kept connection: just enough of HTTP/1.1 to know where each ends.

use anyhow::{Context, bail};
use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

const HEADERS_MAX: usize = 32;
/// The largest head that is waited for, in bytes.
const HEAD_MAX: usize = 64 * 1024;

/// The answers that arrive on one connection.
pub(crate) struct Responses<S> {
    stream: S,
    buffer: BytesMut,
}

enum Length {
    Bytes(usize),
    Chunked,
}

impl<S: AsyncRead + Unpin> Responses<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            buffer: BytesMut::with_capacity(16 * 1024),
        }
    }

    pub(crate) fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Reads one answer to its end and tells its status.
    pub(crate) async fn next(&mut self) -> anyhow::Result<u16> {
        let (status, length) = self.head().await?;
        match length {
            Length::Bytes(length) => self.skip(length).await?,
            Length::Chunked => while self.chunk().await? > 0 {},
        }
        Ok(status)
    }

    async fn head(&mut self) -> anyhow::Result<(u16, Length)> {
        loop {
            if let Some((used, status, length)) = parse(&self.buffer)? {
                self.buffer.advance(used);
                return Ok((status, length));
            }
            if self.buffer.len() > HEAD_MAX {
                bail!("expected the end of a head within {HEAD_MAX} bytes");
            }
            self.fill().await?;
        }
    }

    /// Reads one chunk and tells its length; the last one has none.
    async fn chunk(&mut self) -> anyhow::Result<usize> {
        let end = loop {
            if let Some(end) = self.buffer.windows(2).position(|two| two == b"\r\n") {
                break end;
            }
            self.fill().await?;
        };
        let line = self.buffer.split_to(end + 2);
        let digits = line
            .as_ref()
            .split(|byte| matches!(byte, b';' | b'\r'))
            .next()
            .unwrap_or_default();
        let length = usize::from_str_radix(std::str::from_utf8(digits)?, 16)
            .context("expected the length of a chunk")?;
        self.skip(length.saturating_add(2)).await?;
        Ok(length)
    }

    async fn skip(&mut self, mut length: usize) -> anyhow::Result<()> {
        loop {
            let here = length.min(self.buffer.len());
            self.buffer.advance(here);
            length -= here;
            if length == 0 {
                return Ok(());
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> anyhow::Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }
}

fn parse(bytes: &[u8]) -> anyhow::Result<Option<(usize, u16, Length)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(used) = response.parse(bytes)? else {
        return Ok(None);
    };
    let status = response.code.context("expected a status")?;
    let find = |name: &str| {
        response
            .headers
            .iter()
            .find(|h| h.name.eq_ignore_ascii_case(name))
            .map(|h| h.value)
    };
    let length = match (find("transfer-encoding"), find("content-length")) {
        (Some(_), _) => Length::Chunked,
        (None, Some(digits)) => Length::Bytes(std::str::from_utf8(digits)?.parse()?),
        (None, None) => Length::Bytes(0),
    };
    Ok(Some((used, status, length)))
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    async fn statuses(bytes: &[u8]) -> Vec<u16> {
        // Three bytes at a time, so that heads and bodies arrive in pieces.
        let (reader, mut writer) = tokio::io::duplex(3);
        let mut responses = Responses::new(reader);
        let write = async {
            let _ = writer.write_all(bytes).await;
            drop(writer);
        };
        let read = async {
            let mut found = Vec::new();
            while let Ok(status) = responses.next().await {
                found.push(status);
            }
            drop(responses);
            found
        };
        tokio::join!(write, read).1
    }

    #[tokio::test]
    async fn answers_one_after_the_other() {
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello\
            HTTP/1.1 204 No Content\r\n\r\n\
            HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n\
            HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(statuses(bytes).await, [200, 204, 200, 503]);
    }

    #[tokio::test]
    async fn what_is_no_answer() {
        assert!(statuses(b"SSH-2.0\r\n\r\n").await.is_empty());
        assert!(
            statuses(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort")
                .await
                .is_empty()
        );
        assert!(
            statuses(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n")
                .await
                .is_empty()
        );
    }
}
