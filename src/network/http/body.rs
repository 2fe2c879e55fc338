//! A body, read and decoded up to a limit, whatever its server has in mind.

use std::io::Read;

use flate2::read::{MultiGzDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::checks::outcome::{Code, short};
use crate::network::obstacle::Obstacle;

/// The body as it came over the wire, of at most `limit` bytes.
pub async fn read(mut incoming: Incoming, limit: usize) -> Result<Vec<u8>, Obstacle> {
    let mut body = Vec::new();
    while let Some(frame) = incoming.frame().await {
        // Trailers are bounded by hyper, and nobody here asks for them.
        let Ok(data) = frame.map_err(|error| Obstacle::in_body(&error))?.into_data() else { continue };
        if data.len() > limit - body.len() {
            return Err(Obstacle::too_large(&format!("the body is longer than {limit} bytes")));
        }
        body.extend_from_slice(&data);
    }
    Ok(body)
}

/// The body without the coding that its headers announce, of at most `limit` bytes. None was asked for; some servers do not ask.
pub fn decoded(raw: Vec<u8>, headers: &HeaderMap, limit: usize) -> Result<Vec<u8>, Obstacle> {
    let announced = headers.get_all(CONTENT_ENCODING).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let announced = announced.collect::<Vec<_>>().join(",").to_ascii_lowercase();
    let codings: Vec<&str> = announced.split(',').map(str::trim).filter(|coding| !matches!(*coding, "" | "identity")).collect();
    match codings.as_slice() {
        [] => Ok(raw),
        // A redirect may announce the coding of a page that it does not have.
        _ if raw.is_empty() => Ok(raw),
        ["gzip" | "x-gzip"] => inflated(MultiGzDecoder::new(raw.as_slice()), "gzip", limit),
        ["deflate"] => inflated(ZlibDecoder::new(raw.as_slice()), "zlib", limit),
        others => Err(Obstacle::not_asked(format!(
            "the body is coded as `{}`, though no coding was asked for; only gzip and deflate are understood, so what it \
             says is not known",
            short(&others.join(", "))
        ))),
    }
}

fn inflated(decoder: impl Read, coding: &str, limit: usize) -> Result<Vec<u8>, Obstacle> {
    let mut body = Vec::new();
    let one_more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    if let Err(error) = decoder.take(one_more).read_to_end(&mut body) {
        let detail = format!("the body is not the {coding} that its header announces: {error}");
        return Err(Obstacle::new(Code::NotHttp, detail));
    }
    if body.len() > limit {
        return Err(Obstacle::too_large(&format!("the body is longer than {limit} bytes once it is decoded from {coding}")));
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};
    use http::HeaderValue;

    use super::*;

    fn coded(coding: &'static str, raw: Vec<u8>, limit: usize) -> Result<Vec<u8>, Obstacle> {
        decoded(raw, &HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static(coding))]), limit)
    }

    fn gzip(body: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(body).expect("in memory");
        encoder.finish().expect("in memory")
    }

    #[test]
    fn codings_that_nobody_asked_for_are_undone() {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(b"paid").expect("in memory");
        assert_eq!(coded("deflate", zlib.finish().expect("in memory"), 4).as_deref(), Ok(&b"paid"[..]));
        assert_eq!(coded("GZip", gzip(b"paid"), 4).as_deref(), Ok(&b"paid"[..]));
        assert_eq!(coded("identity", b"paid".to_vec(), 4).as_deref(), Ok(&b"paid"[..]));
        assert_eq!(coded("br", Vec::new(), 4).as_deref(), Ok(&b""[..]), "nothing is nothing in every coding");
    }

    #[test]
    fn a_coding_that_is_not_understood_or_put_on_twice_is_said_and_not_taken_for_the_body() {
        for coding in ["br", "gzip, gzip", "zstd,gzip"] {
            let unknown = coded(coding, gzip(b"paid"), 100).expect_err("not understood");
            assert_eq!(unknown.code, Code::NotAsked);
            assert!(unknown.detail.contains("no coding was asked for"), "{}", unknown.detail);
        }
    }

    #[test]
    fn a_coded_body_that_is_cut_or_garbled_anywhere_is_no_body() {
        let whole = gzip(b"paid in full");
        for length in 1..whole.len() {
            assert_eq!(coded("gzip", whole[..length].to_vec(), 100).expect_err("cut").code, Code::NotHttp, "{length} bytes");
        }
        assert_eq!(coded("gzip", b"paid".to_vec(), 100).expect_err("no gzip").code, Code::NotHttp);
    }

    #[test]
    fn a_bomb_is_put_down_at_the_limit() {
        let bomb = gzip(&vec![0; 10_000_000]);
        assert!(bomb.len() < 10_100);
        assert_eq!(coded("gzip", bomb, 10_000).expect_err("a bomb").code, Code::AnswerTooLarge);
        assert_eq!(coded("gzip", gzip(b"paid!"), 4).expect_err("one byte too many").code, Code::AnswerTooLarge);
    }
}
