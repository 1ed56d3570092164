//! A daemon to test against, and the plainest of HTTP clients.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use dxr::{MethodCall, MethodResponse, Value};

const BINARY: &str = env!("CARGO_BIN_EXE_supernode");
/// Longest wait for anything: a slow, shared machine is slow, not stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running daemon, killed when it is dropped.
pub struct Node {
    child: Doomed,
    stdout: BufReader<std::process::ChildStdout>,
    log: Arc<Mutex<String>>,
    /// Ends with the daemon's standard error.
    logging: JoinHandle<()>,
    /// The line it printed when it was ready.
    pub ready: String,
    /// Where its HTTP is.
    pub http: String,
    /// Where telephones reach it.
    pub sip: String,
    /// Where other super-nodes reach it.
    pub p2p: String,
}

/// How a process ended.
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Node {
    pub fn ephemeral() -> Node {
        Node::start(&["--ephemeral", "--http", "127.0.0.1:0"])
    }

    pub fn with_data(dir: &Path) -> Node {
        Node::start(&["--data", dir.to_str().unwrap(), "--http", "127.0.0.1:0"])
    }

    pub fn start(arguments: &[&str]) -> Node {
        let mut command = Command::new(BINARY);
        command.args(arguments);
        Node::spawn(command)
    }

    /// A daemon whose files cannot grow above so many KiB.
    pub fn limited_to_kib(dir: &Path, kib: u32) -> Node {
        let mut command = Command::new("sh");
        // Ignoring SIGXFSZ turns the limit into an error of the write.
        let script = format!(
            "trap '' XFSZ; ulimit -f {}; exec \"$0\" --data \"$1\" --http 127.0.0.1:0",
            kib * 2
        );
        command.args(["-c", &script, BINARY, dir.to_str().unwrap()]);
        Node::spawn(command)
    }

    fn spawn(mut command: Command) -> Node {
        isolate(&mut command);
        let spawned = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = Doomed(spawned.unwrap());
        let mut stdout = BufReader::new(child.0.stdout.take().unwrap());
        let log = Arc::new(Mutex::new(String::new()));
        let logging = std::thread::spawn({
            let (stderr, log) = (BufReader::new(child.0.stderr.take().unwrap()), Arc::clone(&log));
            move || {
                for line in stderr.lines().map_while(Result::ok) {
                    *log.lock().unwrap() += &(line + "\n");
                }
            }
        });
        let mut ready = String::new();
        stdout.read_line(&mut ready).unwrap();
        let field = |name: &str| {
            let part = ready.split_whitespace().find_map(|part| part.strip_prefix(name));
            part.map(str::to_owned)
        };
        let fields = (field("http="), field("sip="), field("p2p="));
        let (Some(http), Some(sip), Some(p2p)) = fields else {
            logging.join().unwrap();
            panic!("it did not become ready: {ready}{}", log.lock().unwrap());
        };
        Node { child, stdout, log, logging, ready: ready.trim_end().to_owned(), http, sip, p2p }
    }

    /// What it has written to standard error so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Sends a signal and waits for the end.
    pub fn stop(mut self, signal: &str) -> Ended {
        let pid = self.child.0.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        let code = self.child.0.wait().unwrap().code();
        let mut stdout = String::new();
        self.stdout.read_to_string(&mut stdout).unwrap();
        self.logging.join().unwrap();
        let stderr = self.log.lock().unwrap().clone();
        Ended { code, stdout, stderr }
    }

    /// Ends it as a power cut would.
    pub fn kill(self) {
        drop(self);
    }
}

/// A process that does not outlive its handle.
struct Doomed(Child);

impl Drop for Doomed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the program to its end, which must come.
pub fn run(arguments: &[&str]) -> Ended {
    let mut command = Command::new(BINARY);
    isolate(&mut command);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = Doomed(command.spawn().unwrap());
    let (stdout, stderr) = (child.0.stdout.take().unwrap(), child.0.stderr.take().unwrap());
    let (stdout, stderr) = (collect(stdout), collect(stderr));
    let ended = until(|| child.0.try_wait().unwrap(), || format!("{arguments:?} did not end"));
    Ended { code: ended.code(), stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
}

/// Reads a stream to its end, beside whatever else is done.
fn collect(mut stream: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    })
}

/// Keeps the settings of whoever runs the tests out of them, and their traffic on this machine: a
/// daemon looks for nobody by multicast and listens on loopback, unless its command line, which comes
/// first, says otherwise.
fn isolate(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SUPERNODE_") {
            command.env_remove(name);
        }
    }
    command.envs([
        ("SUPERNODE_NO_DISCOVERY", "true"),
        ("SUPERNODE_P2P", "127.0.0.1:0"),
        ("SUPERNODE_SIP", "127.0.0.1:0"),
    ]);
}

/// Waits until something is so, and gives what it is; panics with what `otherwise` says if it takes
/// too long.
pub fn until<T>(mut is_so: impl FnMut() -> Option<T>, otherwise: impl FnOnce() -> String) -> T {
    let start = Instant::now();
    loop {
        if let Some(so) = is_so() {
            return so;
        }
        assert!(start.elapsed() < PATIENCE, "{}", otherwise());
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub fn connect(http: &str) -> TcpStream {
    let stream = TcpStream::connect(http).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A request that ends its connection.
pub fn request(method: &str, path: &str, body: &str) -> String {
    let len = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len}\r\n\r\n{body}"
    )
}

/// Sends a request and reads all that comes.
pub fn exchange(http: &str, request: &str) -> String {
    let mut stream = connect(http);
    stream.write_all(request.as_bytes()).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

/// Reads one reply of a connection that goes on.
pub fn read_reply(stream: &mut TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        head += &line;
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    head + &String::from_utf8(body).unwrap()
}

/// The body of what is got from a path.
pub fn get(http: &str, path: &str) -> String {
    let reply = exchange(http, &request("GET", path, ""));
    reply.split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// Calls a method with texts; the reply's XML.
pub fn post(http: &str, method: &str, params: &[&str]) -> String {
    let params = params.iter().map(|text| Value::String((*text).to_owned())).collect();
    let call = MethodCall { name: method.into(), params }.to_xml().unwrap();
    let reply = exchange(http, &request("POST", "/RPC2", &call));
    let body = reply.split_once("\r\n\r\n").unwrap().1;
    body.split_once('\n').unwrap().1.to_owned()
}

/// The values under a key, as texts.
pub fn values(http: &str, key: &str) -> Vec<String> {
    let Value::Array(values) =
        MethodResponse::from_xml(&post(http, "scope.get", &[key])).unwrap().value
    else {
        panic!("no array");
    };
    let text = |value| match value {
        Value::Base64(bytes) => String::from_utf8(bytes).unwrap(),
        other => panic!("{other:?}"),
    };
    values.into_iter().map(text).collect()
}
