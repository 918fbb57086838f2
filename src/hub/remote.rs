//! The hub over HTTP: the files of a repository, their checksums, their bytes.
//!
//! Redirects are followed here and not by the HTTP library, because the first answer carries the checksum and because
//! the token must stay with the server it belongs to.

use std::collections::BTreeSet;
use std::io::Read;
use std::time::Duration;

use serde::Deserialize;
use ureq::http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, ETAG, LOCATION, RANGE};
use ureq::http::{Method, Response, Uri};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

use super::checksum::Checksum;
use super::error::{Error, TokenSent};
use super::name::{RepoId, is_safe_path};
use super::settings::{Settings, Token};

const MOST_REDIRECTS: usize = 10;
const MOST_LISTING_BYTES: u64 = 64 << 20;
const CONNECT_SECONDS: u64 = 20;
const SILENCE_SECONDS: u64 = 60;

/// The checksum of a large file, beside the redirect to its storage.
const LINKED_ETAG: &str = "x-linked-etag";

/// A server.
pub(super) struct Remote {
    agent: Agent,
    endpoint: String,
    token: Option<Token>,
}

/// What a repository holds at a commit.
pub(super) struct Listing {
    pub(super) commit: String,
    pub(super) files: BTreeSet<String>,
}

/// A file before it is fetched.
#[derive(Debug, Clone)]
pub(super) struct RemoteFile {
    pub(super) name: String,
    pub(super) url: String,
    pub(super) checksum: Checksum,
    pub(super) size: u64,
    page: String,
}

/// The bytes of a file from `start` on.
pub(super) struct Bytes {
    pub(super) start: u64,
    pub(super) body: Box<dyn Read>,
}

/// What is asked of the server.
struct Request<'a> {
    method: Method,
    url: &'a str,
    /// The first byte that is wanted.
    from: u64,
    /// The page of the repository, for people.
    page: &'a str,
}

impl Remote {
    pub(super) fn new(settings: &Settings) -> Result<Self, Error> {
        let mut tls = TlsConfig::builder();
        if let Some(path) = &settings.certificates {
            let pem = std::fs::read(path).map_err(Error::disk(path))?;
            let certificates = parse_pem(&pem).filter_map(|item| match item {
                Ok(PemItem::Certificate(certificate)) => Some(certificate),
                _ => None,
            });
            tls = tls.root_certs(RootCerts::new_with_certs(&certificates.collect::<Vec<_>>()));
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .tls_config(tls.build())
            .timeout_connect(Some(Duration::from_secs(CONNECT_SECONDS)))
            .timeout_recv_response(Some(Duration::from_secs(SILENCE_SECONDS)))
            .timeout_per_read(Some(Duration::from_secs(SILENCE_SECONDS)))
            .user_agent(concat!("lmscope/", env!("CARGO_PKG_VERSION")));
        Ok(Self {
            agent: config.build().new_agent(),
            endpoint: settings.endpoint.clone(),
            token: settings.token.clone(),
        })
    }

    /// The commit of a revision, and its files; a file name that leads out of the repository is refused.
    pub(super) fn listing(&self, repo: &RepoId, revision: &str) -> Result<Listing, Error> {
        #[derive(Deserialize)]
        struct Info {
            sha: String,
            siblings: Vec<Sibling>,
        }
        #[derive(Deserialize)]
        struct Sibling {
            rfilename: String,
        }
        let page = self.page(repo);
        let url = format!("{}/{}/revision/{}", self.endpoint, repo.api(), encode(revision, ""));
        let mut answer = self.ask(&Request { method: Method::GET, url: &url, from: 0, page: &page })?;
        let text = answer.body_mut().with_config().limit(MOST_LISTING_BYTES).read_to_vec();
        let text = text.map_err(|source| Error::Transport { url: url.clone(), source })?;
        let odd = |lacks: String| Error::Answer { url: url.clone(), lacks };
        let info: Info = serde_json::from_slice(&text).map_err(|error| odd(error.to_string()))?;
        if Checksum::from_etag(&info.sha).is_none() {
            return Err(odd("`sha` is no commit".into()));
        }
        let files: BTreeSet<String> = info.siblings.into_iter().map(|sibling| sibling.rfilename).collect();
        match files.iter().find(|file| !is_safe_path(file)) {
            Some(file) => Err(Error::UnsafePath { name: repo.as_str().to_owned(), file: file.clone() }),
            None => Ok(Listing { commit: info.sha, files }),
        }
    }

    /// Checksum and size of a file.
    pub(super) fn describe(&self, repo: &RepoId, commit: &str, file: &str) -> Result<RemoteFile, Error> {
        let page = self.page(repo);
        let url = format!("{}/{}/resolve/{commit}/{}", self.endpoint, repo.address(), encode(file, "/"));
        let answer = self.ask(&Request { method: Method::HEAD, url: &url, from: 0, page: &page })?;
        let header = |names: [&str; 2]| names.into_iter().find_map(|name| header(&answer, name));
        let odd = |lacks: &str| Error::Answer { url: url.clone(), lacks: lacks.into() };
        let etag = header([LINKED_ETAG, ETAG.as_str()]);
        let checksum = etag.and_then(Checksum::from_etag).ok_or_else(|| odd("no checksum in x-linked-etag or etag"))?;
        let size = header(["x-linked-size", CONTENT_LENGTH.as_str()]).and_then(|size| size.parse().ok());
        let size = size.ok_or_else(|| odd("no size in x-linked-size or content-length"))?;
        Ok(RemoteFile { name: file.to_owned(), checksum, size, page, url })
    }

    /// The bytes of a file from `from` on; a server that cannot do that gives all of them.
    pub(super) fn open(&self, file: &RemoteFile, from: u64) -> Result<Bytes, Error> {
        let request = Request { method: Method::GET, url: &file.url, from, page: &file.page };
        let answer = self.ask(&request)?;
        let start = match answer.status().as_u16() {
            206 => header(&answer, CONTENT_RANGE.as_str()).and_then(first_byte),
            _ => Some(0),
        };
        let lacks = || Error::Answer { url: file.url.clone(), lacks: "a valid content-range".into() };
        Ok(Bytes { start: start.ok_or_else(lacks)?, body: Box::new(answer.into_body().into_reader()) })
    }

    /// The page of a repository, for people.
    fn page(&self, repo: &RepoId) -> String {
        format!("{}/{}", self.endpoint, repo.address())
    }

    /// Sends a request and follows redirects: a `HEAD` only as far as the answer that describes the file.
    fn ask(&self, request: &Request<'_>) -> Result<Response<Body>, Error> {
        let home = uri(request.url, request.url)?;
        let mut at = home.clone();
        let mut token = self.token.as_ref();
        for _ in 0..=MOST_REDIRECTS {
            token = token.filter(|_| origin(&at) == origin(&home));
            let answer = self.send(request, &at, token)?;
            let status = answer.status().as_u16();
            if !matches!(status, 301 | 302 | 303 | 307 | 308) {
                return if matches!(status, 200 | 206) {
                    Ok(answer)
                } else {
                    Err(refused(request, &at, &answer, token))
                };
            }
            let next = redirect(request, &at, header(&answer, LOCATION.as_str()).unwrap_or_default())?;
            let described = answer.headers().contains_key(LINKED_ETAG) || origin(&next) != origin(&home);
            if request.method == Method::HEAD && described {
                return Ok(answer);
            }
            at = next;
        }
        Err(Error::Redirect { url: request.url.into(), to: at.to_string(), why: "after too many redirects" })
    }

    fn send(&self, request: &Request<'_>, at: &Uri, token: Option<&Token>) -> Result<Response<Body>, Error> {
        let mut builder = if request.method == Method::HEAD { self.agent.head(at) } else { self.agent.get(at) };
        builder = builder.header(ACCEPT_ENCODING, "identity");
        if let Some(token) = token {
            builder = builder.header(AUTHORIZATION, token.bearer());
        }
        if request.from > 0 {
            builder = builder.header(RANGE, format!("bytes={}-", request.from));
        }
        builder.call().map_err(|source| Error::Transport { url: shown(at), source })
    }
}

fn header<'a>(answer: &'a Response<Body>, name: &str) -> Option<&'a str> {
    answer.headers().get(name).and_then(|value| value.to_str().ok())
}

fn refused(request: &Request<'_>, at: &Uri, answer: &Response<Body>, token: Option<&Token>) -> Error {
    Error::Status {
        url: shown(at),
        status: answer.status().as_u16(),
        reason: header(answer, "x-error-code").map(ToOwned::to_owned),
        page: request.page.to_owned(),
        token: if token.is_some() { TokenSent::Yes } else { TokenSent::No },
    }
}

fn uri(text: &str, asked: &str) -> Result<Uri, Error> {
    let uri: Option<Uri> = text.parse().ok().filter(|uri: &Uri| uri.host().is_some() && uri.scheme().is_some());
    uri.ok_or_else(|| Error::Redirect { url: asked.into(), to: text.into(), why: "which is no address" })
}

/// Where a redirect leads.
fn redirect(request: &Request<'_>, from: &Uri, to: &str) -> Result<Uri, Error> {
    let (scheme, host) = (from.scheme_str().unwrap_or_default(), from.authority().map_or("", |host| host.as_str()));
    let next = if to.starts_with("//") {
        format!("{scheme}:{to}")
    } else if to.starts_with('/') {
        format!("{scheme}://{host}{to}")
    } else {
        to.to_owned()
    };
    let next = uri(&next, request.url)?;
    if scheme == "https" && next.scheme_str() != Some("https") {
        return Err(Error::Redirect { url: request.url.into(), to: shown(&next), why: "which is not encrypted" });
    }
    Ok(next)
}

/// What decides whether a token may be sent: scheme, host and port.
fn origin(uri: &Uri) -> (Option<&str>, Option<String>, Option<u16>) {
    let port = uri.port_u16().or(match uri.scheme_str() {
        Some("https") => Some(443),
        Some("http") => Some(80),
        _ => None,
    });
    (uri.scheme_str(), uri.host().map(str::to_ascii_lowercase), port)
}

/// An address without its query, which may hold a signature.
fn shown(uri: &Uri) -> String {
    uri.to_string().split('?').next().unwrap_or_default().to_owned()
}

/// The first byte of `bytes 7-99/100`.
fn first_byte(range: &str) -> Option<u64> {
    range.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}

/// Text as a part of an address; the characters in `keep` stay as they are.
fn encode(text: &str, keep: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || keep.as_bytes().contains(&byte);
    text.bytes().fold(String::new(), |text, byte| {
        if plain(byte) { text + &char::from(byte).to_string() } else { text + &format!("%{byte:02X}") }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_differ_by_scheme_host_and_port() {
        let same = |a: &str, b: &str| origin(&a.parse().unwrap()) == origin(&b.parse().unwrap());
        assert!(same("https://HF.co/a", "https://hf.co:443/b?c"));
        assert!(!same("https://hf.co/a", "https://cdn.hf.co/a"));
        assert!(!same("https://hf.co/a", "http://hf.co/a"));
        assert!(!same("http://127.0.0.1:1/a", "http://127.0.0.1:2/a"));
    }

    #[test]
    fn redirects_are_joined_and_never_lose_encryption() {
        let request = Request { method: Method::GET, url: "https://hf.co/a", from: 0, page: "" };
        let join = |to: &str| redirect(&request, &"https://hf.co/a".parse().unwrap(), to).map(|uri| uri.to_string());
        assert_eq!(join("/b?c").unwrap(), "https://hf.co/b?c");
        assert_eq!(join("//cdn/b").unwrap(), "https://cdn/b");
        assert_eq!(join("https://cdn/b").unwrap(), "https://cdn/b");
        for to in ["http://cdn/b", "", "b", "file:///etc/passwd"] {
            assert!(matches!(join(to), Err(Error::Redirect { .. })), "{to}");
        }
    }

    #[test]
    fn addresses_are_encoded() {
        assert_eq!(encode("refs/pr/1", ""), "refs%2Fpr%2F1");
        assert_eq!(encode("a b/ü.gguf", "/"), "a%20b/%C3%BC.gguf");
    }
}
