//! What is answered: a success, or the error of a service whose errors look otherwise.

use std::{convert::Infallible, fmt, pin::Pin};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::{Either, Full, StreamBody};
use hyper::body::Frame;

/// What is answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    /// The name of the error that it tells; nothing for a success.
    pub(crate) refusal: Option<&'static str>,
}

/// The body of an answer.
pub(crate) enum Body {
    /// All of it.
    Whole(Bytes),
    /// Pieces that are made when the caller takes them. Dropping the stream is how its maker learns that the caller went
    /// away.
    Pieces(Pin<Box<dyn Stream<Item = Bytes> + Send>>),
}

/// The body as the server sends it.
pub(crate) type HttpBody = Either<Full<Bytes>, StreamBody<Frames>>;

type Frames = Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, Infallible>> + Send>>;

impl Answer {
    /// A JSON document.
    pub(crate) fn json(status: StatusCode, body: Vec<u8>) -> Self {
        let mut headers = HeaderMap::new();
        let json = HeaderValue::from_static("application/json");
        headers.insert(http::header::CONTENT_TYPE, json);
        Self {
            status,
            headers,
            body: Body::Whole(body.into()),
            refusal: None,
        }
    }

    /// Nothing but a status.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            body: Body::Whole(Bytes::new()),
            refusal: None,
        }
    }

    /// The same answer; `place` is kept until the last of its pieces was made.
    pub(crate) fn holding(self, place: impl Send + 'static) -> Self {
        let body = match self.body {
            Body::Whole(bytes) => Body::Whole(bytes),
            Body::Pieces(pieces) => Body::Pieces(Box::pin(futures::stream::unfold(
                (pieces, place),
                async |(mut pieces, place)| {
                    let piece = pieces.next().await?;
                    Some((piece, (pieces, place)))
                },
            ))),
        };
        Self { body, ..self }
    }
}

impl Body {
    pub(super) fn into_http(self) -> HttpBody {
        match self {
            Self::Whole(bytes) => Either::Left(Full::new(bytes)),
            Self::Pieces(pieces) => {
                let frames: Frames = Box::pin(pieces.map(|piece| Ok(Frame::data(piece))));
                Either::Right(StreamBody::new(frames))
            }
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Pieces(_) => f.write_str("pieces"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http_body_util::BodyExt;

    use super::*;

    fn in_pieces(pieces: &'static [&'static str]) -> Answer {
        let stream =
            futures::stream::iter(pieces).map(|piece| Bytes::from_static(piece.as_bytes()));
        Answer {
            body: Body::Pieces(Box::pin(stream)),
            ..Answer::empty(StatusCode::OK)
        }
    }

    #[tokio::test]
    async fn a_place_is_kept_until_the_pieces_are_over_or_nobody_wants_them() {
        let place = Arc::new(());
        let mut body = in_pieces(&["a", "b"])
            .holding(place.clone())
            .body
            .into_http();
        assert_eq!(Arc::strong_count(&place), 2);
        body.frame().await.unwrap().unwrap();
        drop(body);
        assert_eq!(Arc::strong_count(&place), 1);

        let answer = in_pieces(&["a", "b", "c"]).holding(place.clone());
        let whole = answer.body.into_http().collect().await.unwrap().to_bytes();
        assert_eq!(whole, "abc");
        assert_eq!(Arc::strong_count(&place), 1);

        let whole = Answer::json(StatusCode::OK, b"{}".to_vec()).holding(place.clone());
        assert_eq!(Arc::strong_count(&place), 1);
        assert_eq!(
            whole.body.into_http().collect().await.unwrap().to_bytes(),
            "{}"
        );
    }
}
