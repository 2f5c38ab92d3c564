//! One TLS stream, read and written by one task at the same time. Owns the octets still to be
//! written; what is read goes straight to a closure, so an idle connection holds no read buffer.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// Octets read at once.
const CHUNK: usize = 16 * 1024;
/// A write buffer that grew beyond this is given back when it is empty.
const KEEP: usize = 512;

/// What a turn did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Something was read and handed over.
    Read,
    /// Everything waiting was written.
    Wrote,
    /// The peer has closed its side.
    Ended,
}

pub(super) struct Socket<S> {
    stream: S,
    out: Vec<u8>,
    written: usize,
    flushing: bool,
    /// Since when something waits to be written without progress.
    stuck_since: Option<Instant>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            out: Vec::new(),
            written: 0,
            flushing: false,
            stuck_since: None,
        }
    }

    /// Where to append what is to be written.
    pub(super) fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// Octets waiting to be written.
    pub(super) fn waiting(&self) -> usize {
        self.out.len() - self.written
    }

    /// Since when the peer has taken nothing although something waits.
    pub(super) fn stuck_since(&self) -> Option<Instant> {
        self.stuck_since
    }

    /// Writes what waits and, if asked to, reads; returns when one of them got something done.
    /// Can be dropped at any await without losing an octet.
    pub(super) async fn turn(
        &mut self,
        read: bool,
        mut take: impl FnMut(&[u8], &mut Vec<u8>),
    ) -> io::Result<Turn> {
        poll_fn(|cx| self.poll_turn(cx, read, &mut take)).await
    }

    fn poll_turn(
        &mut self,
        cx: &mut Context<'_>,
        read: bool,
        take: &mut impl FnMut(&[u8], &mut Vec<u8>),
    ) -> Poll<io::Result<Turn>> {
        let had = self.waiting() > 0 || self.flushing;
        let clear = match self.poll_write(cx) {
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) => true,
            Poll::Pending => false,
        };
        if read {
            let mut space = [MaybeUninit::uninit(); CHUNK];
            let mut buffer = ReadBuf::uninit(&mut space);
            if Pin::new(&mut self.stream)
                .poll_read(cx, &mut buffer)?
                .is_ready()
            {
                if buffer.filled().is_empty() {
                    return Poll::Ready(Ok(Turn::Ended));
                }
                take(buffer.filled(), &mut self.out);
                return Poll::Ready(Ok(Turn::Read));
            }
        }
        if had && clear {
            Poll::Ready(Ok(Turn::Wrote))
        } else {
            Poll::Pending
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.out.len() {
            self.stuck_since.get_or_insert_with(Instant::now);
            let n = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.out[self.written..]))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += n;
            self.stuck_since = None;
            self.flushing = true;
        }
        if self.flushing {
            self.stuck_since.get_or_insert_with(Instant::now);
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.flushing = false;
            self.stuck_since = None;
        }
        self.out.clear();
        self.written = 0;
        if self.out.capacity() > KEEP {
            self.out = Vec::new();
        }
        Poll::Ready(Ok(()))
    }

    /// Writes what waits and closes the sending side.
    pub(super) async fn finish(mut self) -> io::Result<()> {
        self.close().await
    }

    /// The same, and waits for the peer to close its side too: octets of it that nobody reads
    /// would reset the connection and could take with them what it has just been told.
    pub(super) async fn finish_heard(mut self) -> io::Result<()> {
        self.close().await?;
        while self.turn(true, |_, _| ()).await? != Turn::Ended {}
        Ok(())
    }

    async fn close(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_write(cx)).await?;
        poll_fn(|cx| Pin::new(&mut self.stream).poll_shutdown(cx)).await
    }
}
