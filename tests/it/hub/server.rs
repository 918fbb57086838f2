//! A server on this machine that speaks as the hub does. It ends with the test.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use sha1::Digest as _;

/// The commit that `main` is at.
pub(super) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

const MOST_REQUESTS: usize = 64;

/// A repository called `tests/tiny`.
#[derive(Clone, Default)]
pub(super) struct Repo {
    pub(super) holds: Holds,
    pub(super) files: BTreeMap<String, Vec<u8>>,
    pub(super) fault: Fault,
    /// Where large files are, if not here.
    pub(super) cdn: Option<String>,
}

/// What a repository is of.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Holds {
    #[default]
    Model,
    Dataset,
}

/// What goes wrong.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Fault {
    #[default]
    None,
    /// Large files end after this many bytes.
    CutOff(usize),
    /// Ranges are not understood.
    NoRanges,
    /// Large files have a wrong byte.
    WrongByte,
    /// Everything is answered with this, and this reason.
    Status(u16, &'static str),
    /// Every request is first sent to another path here, as for a renamed repository.
    Renamed,
}

/// A request that came.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) range: Option<String>,
    pub(super) authorization: Option<String>,
}

pub(super) struct Server {
    pub(super) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Repo {
    /// A data set of one card and no files yet.
    pub(super) fn of_dataset(card: &str) -> Self {
        Self { holds: Holds::Dataset, ..Self::default() }.with("README.md", card.as_bytes())
    }

    /// The files of a directory.
    pub(super) fn of(dir: &Path) -> Self {
        let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        let file = |path: std::path::PathBuf| {
            (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(path).unwrap())
        };
        Self { files: entries.map(file).collect(), ..Self::default() }
    }

    pub(super) fn with(mut self, file: &str, bytes: &[u8]) -> Self {
        self.files.insert(file.into(), bytes.into());
        self
    }

    pub(super) fn without(mut self, file: &str) -> Self {
        self.files.remove(file).unwrap();
        self
    }

    pub(super) fn failing(self, fault: Fault) -> Self {
        Self { fault, ..self }
    }

    fn answer(&self, request: &Seen) -> Answer {
        if let Fault::Status(status, reason) = self.fault {
            return Answer { status, headers: vec![("x-error-code".into(), reason.into())], ..Answer::default() };
        }
        let path = match request.path.strip_prefix("/renamed") {
            None if self.fault == Fault::Renamed => return Answer::redirect(&format!("/renamed{}", request.path)),
            stripped => stripped.unwrap_or(&request.path),
        };
        let (api, address) = match self.holds {
            Holds::Model => ("/api/models/tests/tiny", "/tests/tiny"),
            Holds::Dataset => ("/api/datasets/tests/tiny", "/datasets/tests/tiny"),
        };
        if path.strip_prefix(api).is_some_and(|rest| ["/revision/main", "/revision/v1%2Fb"].contains(&rest)) {
            return self.listing();
        }
        if let Some(sha256) = path.strip_prefix("/cdn/") {
            let bytes = self.files.values().find(|bytes| hex(&sha2::Sha256::digest(bytes)) == sha256).unwrap();
            return self.large(bytes, request);
        }
        let file = path.strip_prefix(&format!("{address}/resolve/{COMMIT}/"));
        let Some((name, bytes)) = file.and_then(|file| self.files.get_key_value(file)) else {
            return Answer { status: 404, ..Answer::default() };
        };
        if ![".safetensors", ".gguf", ".parquet"].iter().any(|large| name.ends_with(large)) {
            let git = sha1::Sha1::new_with_prefix(format!("blob {}\0", bytes.len())).chain_update(bytes).finalize();
            let headers = vec![("etag".into(), format!("W/\"{}\"", hex(&git)))];
            return Answer { headers, body: bytes.clone(), ..Answer::default() };
        }
        let sha256 = hex(&sha2::Sha256::digest(bytes));
        let mut answer = Answer::redirect(&format!("{}/cdn/{sha256}", self.cdn.as_deref().unwrap_or_default()));
        answer.headers.push(("x-linked-etag".into(), format!("\"{sha256}\"")));
        answer.headers.push(("x-linked-size".into(), bytes.len().to_string()));
        answer
    }

    fn listing(&self) -> Answer {
        let siblings: Vec<_> = self.files.keys().map(|file| serde_json::json!({ "rfilename": file })).collect();
        let body = serde_json::json!({ "sha": COMMIT, "siblings": siblings }).to_string().into_bytes();
        Answer { body, ..Answer::default() }
    }

    fn large(&self, bytes: &[u8], request: &Seen) -> Answer {
        let range = request.range.as_ref().filter(|_| self.fault != Fault::NoRanges);
        let start = range.map(|range| range.strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap());
        let start = start.map(|start| start.parse::<usize>().unwrap());
        let mut body = bytes[start.unwrap_or(0)..].to_vec();
        if self.fault == Fault::WrongByte {
            *body.last_mut().unwrap() ^= 1;
        }
        let mut answer = Answer { body, ..Answer::default() };
        if let Fault::CutOff(n) = self.fault {
            answer.sent = n;
        }
        if let Some(start) = start {
            answer.status = 206;
            let range = format!("bytes {start}-{}/{}", bytes.len() - 1, bytes.len());
            answer.headers.push(("content-range".into(), range));
        }
        answer
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// How much of the body is sent before the connection ends.
    sent: usize,
}

impl Default for Answer {
    fn default() -> Self {
        Self { status: 200, headers: Vec::new(), body: Vec::new(), sent: usize::MAX }
    }
}

impl Answer {
    fn redirect(to: &str) -> Self {
        Self { status: 307, headers: vec![("location".into(), to.into())], ..Self::default() }
    }

    fn send(&self, method: &str, stream: &mut TcpStream) -> std::io::Result<()> {
        let mut head = format!("HTTP/1.1 {} x\r\nconnection: close\r\n", self.status);
        head.push_str(&format!("content-length: {}\r\n", self.body.len()));
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{head}\r\n").as_bytes())?;
        let body = if method == "HEAD" { &[] } else { &self.body[..self.body.len().min(self.sent)] };
        stream.write_all(body)
    }
}

impl Server {
    pub(super) fn start(repo: Repo) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (seen, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (log, stopped) = (Arc::clone(&seen), Arc::clone(&stop));
        let serve = move || {
            for stream in listener.incoming().take(MOST_REQUESTS) {
                let mut stream = stream.unwrap();
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let Some(request) = read(&stream) else { continue };
                log.lock().unwrap().push(request.clone());
                // a client that goes away is a part of some tests
                let _ = repo.answer(&request).send(&request.method, &mut stream);
            }
        };
        let thread = Builder::new().name("hub".into()).spawn(serve).unwrap();
        Self { url, seen, stop, thread: Some(thread) }
    }

    /// The requests so far, which are forgotten.
    pub(super) fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // wakes the thread, which may be waiting for a connection
        let _ = TcpStream::connect(self.url.strip_prefix("http://").unwrap());
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || std::thread::panicking());
    }
}

fn read(stream: &TcpStream) -> Option<Seen> {
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let lines = BufReader::new(stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
    let lines: Vec<String> = lines.collect();
    let mut words = lines.first()?.split(' ').map(ToOwned::to_owned);
    let header = |name: &str| {
        let pairs = lines.iter().filter_map(|line| line.split_once(": "));
        pairs.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    };
    Some(Seen {
        method: words.next()?,
        path: words.next()?,
        range: header("range"),
        authorization: header("authorization"),
    })
}
