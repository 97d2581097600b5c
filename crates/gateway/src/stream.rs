//! The limits of every streamed body: its size and its pace.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::unfold;
use proxy_execute_protocol::{ByteStream, Error, Result};

/// The limits of a body, each with the error for a violation.
#[derive(Debug)]
pub(crate) struct Bounds {
    /// The longest wait for the next bytes.
    pub(crate) pause: Duration,
    pub(crate) stalled: Error,
    /// The exact number of bytes, if it is known in advance.
    pub(crate) size: Option<(u64, Error)>,
    /// Upper limit for the number of bytes.
    pub(crate) most: Option<(u64, Error)>,
}

impl Bounds {
    /// Returns the same body. The stream ends with an error at the first violation of a limit.
    pub(crate) fn hold(self, body: ByteStream) -> ByteStream {
        ByteStream::new(unfold(Some((body, self, 0)), |state| async move {
            let (mut body, bounds, before) = state?;
            match bounds.next(&mut body, before).await {
                Ok(chunk) => chunk.map(|chunk| {
                    let seen = before + chunk.len() as u64;
                    (Ok(chunk), Some((body, bounds, seen)))
                }),
                Err(error) => Some((Err(error), None)),
            }
        }))
    }

    async fn next(&self, body: &mut ByteStream, before: u64) -> Result<Option<Bytes>> {
        let size = self.size.as_ref().map(|(size, _)| *size);
        if before > 0 && size == Some(before) {
            return Ok(None);
        }
        let Some(chunk) = self.in_time(body).await? else {
            return self.check(|size| size == before).map(|()| None);
        };
        let seen = before + chunk.len() as u64;
        if let Some((_, too_large)) = self.most.as_ref().filter(|(most, _)| seen > *most) {
            return Err(too_large.clone());
        }
        self.check(|size| size >= seen)?;
        // A reader that knows the size stops there. So surplus bytes are detected before the last chunk is
        // returned.
        while size == Some(seen)
            && let Some(more) = self.in_time(body).await?
        {
            self.check(|_| more.is_empty())?;
        }
        Ok(Some(chunk))
    }

    /// Fails if the size is known and wrong.
    fn check(&self, is_right: impl FnOnce(u64) -> bool) -> Result<()> {
        match &self.size {
            Some((size, wrong)) if !is_right(*size) => Err(wrong.clone()),
            _ => Ok(()),
        }
    }

    async fn in_time(&self, body: &mut ByteStream) -> Result<Option<Bytes>> {
        let next = tokio::time::timeout(self.pause, body.next()).await;
        next.map_err(|_| self.stalled.clone())?.transpose()
    }
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt;
    use futures::stream::{iter, pending};
    use proxy_execute_protocol::ErrorKind;

    use super::*;

    fn bounds(size: Option<u64>) -> Bounds {
        let error = |message: &str| Error::new(ErrorKind::UploadBroken, message);
        Bounds {
            pause: Duration::from_millis(20),
            stalled: error("stalled"),
            size: size.map(|size| (size, error("size"))),
            most: Some((10, error("large"))),
        }
    }

    /// Reads these chunks, and returns the text and the result.
    async fn read(size: Option<u64>, chunks: &[&'static str]) -> (String, Result<(), String>) {
        let chunks: Vec<_> = chunks.iter().map(|chunk| Ok(Bytes::from_static(chunk.as_bytes()))).collect();
        ended(bounds(size).hold(ByteStream::new(iter(chunks)))).await
    }

    async fn ended(mut body: ByteStream) -> (String, Result<(), String>) {
        let mut text = String::new();
        loop {
            match body.try_next().await {
                Ok(Some(chunk)) => text.push_str(std::str::from_utf8(&chunk).unwrap()),
                Ok(None) => return (text, Ok(())),
                Err(error) => return (text, Err(error.to_string())),
            }
        }
    }

    #[tokio::test]
    async fn a_body_has_the_size_that_it_announced() {
        assert_eq!(read(Some(4), &["ab", "cd"]).await, ("abcd".into(), Ok(())));
        assert_eq!(read(Some(4), &["ab", "", "cd", ""]).await, ("abcd".into(), Ok(())));
        assert_eq!(read(Some(0), &[]).await, (String::new(), Ok(())));
        assert_eq!(read(None, &["ab", "cd"]).await, ("abcd".into(), Ok(())));
        assert_eq!(read(Some(5), &["ab", "cd"]).await, ("abcd".into(), Err("size".into())));
        assert_eq!(read(Some(1), &[]).await, (String::new(), Err("size".into())));
        assert_eq!(read(Some(3), &["ab", "cd"]).await, ("ab".into(), Err("size".into())));
        // The last chunk, which would make the body look complete, is not returned.
        assert_eq!(read(Some(2), &["ab", "cd"]).await, (String::new(), Err("size".into())));
    }

    #[tokio::test]
    async fn a_body_has_no_more_bytes_than_it_may() {
        assert_eq!(read(None, &["01234", "56789"]).await.1, Ok(()));
        assert_eq!(read(None, &["01234", "56789", "x"]).await, ("0123456789".into(), Err("large".into())));
    }

    #[tokio::test]
    async fn a_body_that_stalls_ends() {
        let stalling = iter([Ok(Bytes::from_static(b"ab"))]).chain(pending());
        let body = bounds(None).hold(ByteStream::new(stalling));
        assert_eq!(ended(body).await, ("ab".into(), Err("stalled".into())));
    }
}
