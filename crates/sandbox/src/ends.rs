//! The worker's ends of what leads into a sandbox: connections that code inside makes, and what it prints.

use std::{
    fmt,
    future::poll_fn,
    io,
    os::fd::AsFd as _,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream, unix::pipe},
};

/// Takes connections from inside one sandbox.
pub trait Accept: Send + Sync {
    /// The next connection. Of several tasks that poll, the last one is woken.
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Box<dyn Connection>>>;

    /// Closes the connections that are waiting now, unseen. Whoever polls is not disturbed.
    fn discard_waiting(&self);
}

impl dyn Accept + '_ {
    /// Waits for the next connection.
    ///
    /// # Errors
    /// What the operating system says; a later call may succeed.
    ///
    /// # Cancel safety
    /// Safe: a connection is either answered or still waiting.
    pub async fn accept(&self) -> io::Result<Box<dyn Connection>> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }
}

impl fmt::Debug for dyn Accept + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Accept")
    }
}

/// One connection from inside. What the other end had written before it was closed can still be read.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// What processes of one sandbox print.
pub trait Output: AsyncRead + Send + Sync + Unpin {
    /// Reads what is there at this moment, even if no task was told of it yet. `Ok(0)`: it has ended.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if there is nothing.
    fn read_now(&mut self, buffer: &mut [u8]) -> io::Result<usize>;
}

impl fmt::Debug for dyn Output + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Output")
    }
}

impl Accept for TcpListener {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Box<dyn Connection>>> {
        let (stream, _) = ready!(self.poll_accept(cx))?;
        Poll::Ready(prompt(stream))
    }

    fn discard_waiting(&self) {
        // Past tokio's readiness, which may not know yet of who came a moment ago.
        match self.as_fd().try_clone_to_owned() {
            Ok(same) => {
                let same = std::net::TcpListener::from(same);
                while same.accept().is_ok() {}
            }
            Err(error) => {
                tracing::warn!(%error, "connections of an ended process may be served yet");
            }
        }
    }
}

pub(crate) fn prompt(stream: TcpStream) -> io::Result<Box<dyn Connection>> {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY on a connection of a sandbox");
    }
    Ok(Box::new(stream))
}

impl Output for pipe::Receiver {
    fn read_now(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match rustix::io::read(&*self, &mut *buffer) {
                Err(rustix::io::Errno::INTR) => {}
                done => return Ok(done?),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, time::Duration};

    use tokio::io::AsyncReadExt as _;

    use super::*;

    const WAIT: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn connections_that_wait_are_discarded_and_later_ones_are_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accept: Box<dyn Accept> = Box::new(listener);
        let mut early = std::net::TcpStream::connect(address).unwrap();
        accept.discard_waiting();
        early.set_read_timeout(Some(WAIT)).unwrap();
        let end = std::io::Read::read(&mut early, &mut [0; 1]);
        assert!(!matches!(end, Ok(1..)), "{end:?}");
        let mut late = std::net::TcpStream::connect(address).unwrap();
        late.write_all(b"late").unwrap();
        let mut taken = tokio::time::timeout(WAIT, accept.accept())
            .await
            .unwrap()
            .unwrap();
        let mut said = [0; 4];
        taken.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"late");
    }

    #[tokio::test]
    async fn output_is_read_at_once_and_by_waiting() {
        let (read, mut write) = std::io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&read, true).unwrap();
        let mut output: Box<dyn Output> =
            Box::new(pipe::Receiver::from_owned_fd(read.into()).unwrap());
        let mut buffer = [0; 8];
        let nothing = output.read_now(&mut buffer).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
        write.write_all(b"one").unwrap();
        assert_eq!(output.read_now(&mut buffer).unwrap(), 3);
        write.write_all(b"two").unwrap();
        let waited = tokio::time::timeout(WAIT, output.read(&mut buffer)).await;
        assert_eq!(waited.unwrap().unwrap(), 3);
        drop(write);
        assert_eq!(output.read_now(&mut buffer).unwrap(), 0);
    }
}
