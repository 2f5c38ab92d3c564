//! Starting the independent stacks: pymodbus in its own environment, socat for a serial pair, and
//! libmodbus' test server compiled from the source Debian ships.

use riser_adapter_testkit::programs::{
    self, Program, free_port, program, python, repository, skip,
};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const MANIFEST: &str = env!("CARGO_MANIFEST_DIR");

/// `tests/peers/modbus_peer.py` at work.
pub(crate) struct PyPeer {
    program: Program,
    pub(crate) port: u16,
}

impl PyPeer {
    fn start(test: &str, arguments: &[&str], port: u16) -> Option<Self> {
        let Some(python) = python(MANIFEST, "modbus") else {
            skip(test, "the pymodbus environment (.peers/modbus)");
            return None;
        };
        let script = repository(MANIFEST).join("tests/peers/modbus_peer.py");
        let mut command = Command::new(python);
        command
            .arg("-u")
            .arg(script)
            .args(arguments)
            .stderr(Stdio::null());
        Some(Self {
            program: Program::start(&mut command, "READY"),
            port,
        })
    }

    pub(crate) fn tcp(test: &str, kind: &str) -> Option<Self> {
        let port = free_port();
        Self::start(test, &[kind, &port.to_string()], port)
    }

    pub(crate) fn serial(test: &str, pair: &SerialPair) -> Option<Self> {
        Self::start(test, &["rtu", &pair.far, "115200"], 0)
    }

    /// Demands a client certificate of the CA in `folder`.
    pub(crate) fn tls(test: &str, folder: &Path) -> Option<Self> {
        let port = free_port();
        let file = |name: &str| folder.join(name).to_string_lossy().into_owned();
        let (cert, key, ca) = (file("server.pem"), file("server.key"), file("ca.pem"));
        Self::start(test, &["tls", &port.to_string(), &cert, &key, &ca], port)
    }

    /// Sends a signal, such as `USR1`.
    pub(crate) async fn signal(&self, name: &str) {
        let id = self.program.id().to_string();
        let (sent, output) = programs::run("kill", &[&format!("-{name}"), &id]).await;
        assert!(sent, "{output}");
    }
}

/// Two serial ports joined back to back.
pub(crate) struct SerialPair {
    near: String,
    far: String,
    _socat: Program,
    _folder: tempfile::TempDir,
}

impl SerialPair {
    pub(crate) fn new(test: &str) -> Option<Self> {
        let Some(socat) = program("socat") else {
            skip(test, "socat");
            return None;
        };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        let (near, far) = (path("near"), path("far"));
        let pty = |link: &str| format!("pty,raw,echo=0,link={link}");
        let socat = Program::spawn(Command::new(socat).args([pty(&near), pty(&far)]));
        let until = Instant::now() + Duration::from_secs(10);
        while !(Path::new(&near).exists() && Path::new(&far).exists()) {
            assert!(Instant::now() < until, "socat made no serial pair");
            std::thread::yield_now();
        }
        Some(Self {
            near,
            far,
            _socat: socat,
            _folder: folder,
        })
    }

    pub(crate) fn lane(&self, rest: &str) -> String {
        format!(
            "[[lane]]\nkey = \"lane\"\ntransport = \"rtu\"\nserial = \"{}\"\nbaud = 115200\nparity = \"none\"\n{rest}\n",
            self.near
        )
    }
}

/// libmodbus' `unit-test-server`, compiled here.
pub(crate) struct LibModbus(String);

impl LibModbus {
    pub(crate) fn build(test: &str) -> Option<Self> {
        let examples = Path::new("/usr/share/doc/libmodbus-dev/examples");
        let source = std::fs::read_to_string(examples.join("unit-test-server.c"));
        let (Ok(source), Some(gcc)) = (source, program("gcc")) else {
            skip(test, "libmodbus-dev or gcc");
            return None;
        };
        Some(Self::compile(test, &source, examples, gcc))
    }

    fn compile(test: &str, source: &str, examples: &Path, gcc: PathBuf) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
        std::fs::create_dir_all(&folder).expect("a folder under target");
        // The port is fixed in the source; tests run side by side, so it comes as an argument.
        let source = source.replace(
            "modbus_new_tcp(\"127.0.0.1\", 1502)",
            "modbus_new_tcp(\"127.0.0.1\", atoi(argv[2]))",
        );
        assert!(
            source.contains("atoi(argv[2])"),
            "the test server's source has changed"
        );
        let (file, binary) = (folder.join("server.c"), folder.join("server"));
        std::fs::write(&file, source).expect("the source is written");
        let mut command = Command::new(gcc);
        command
            .arg("-o")
            .arg(&binary)
            .arg(&file)
            .arg("-I")
            .arg(examples);
        let output = command.args(["-I/usr/include/modbus", "-lmodbus"]).output();
        let output = output.expect("gcc runs");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Self(binary.to_string_lossy().into_owned())
    }

    /// A server for one connection.
    pub(crate) fn start(&self) -> (Program, u16) {
        let port = free_port();
        let mut command = Command::new(&self.0);
        command.args(["tcp", &port.to_string()]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let program = Program::spawn(&mut command);
        let until = Instant::now() + Duration::from_secs(10);
        // Connecting would use up its one connection; the kernel's table tells that it listens.
        let wanted = format!(":{port:04X} 00000000:0000 0A");
        while !std::fs::read_to_string("/proc/net/tcp").is_ok_and(|t| t.contains(&wanted)) {
            assert!(Instant::now() < until, "libmodbus' server does not listen");
            std::thread::yield_now();
        }
        (program, port)
    }
}

/// A CA with a server (`plc-1`) and a client, and a CA nobody knows.
pub(crate) fn certificates(folder: &Path) {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    let write = |name: &str, text: String| std::fs::write(folder.join(name), text).expect("a file");
    let authority = |name: &str| {
        let mut params = CertificateParams::new(vec![]).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        (certificate.pem(), Issuer::new(params, key))
    };
    let (pem, issuer) = authority("Riser test CA");
    write("ca.pem", pem);
    write("stranger.pem", authority("Stranger").0);
    for (file, name) in [("server", "plc-1"), ("client", "riser")] {
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &issuer).expect("a certificate");
        write(&format!("{file}.pem"), certificate.pem());
        write(&format!("{file}.key"), key.serialize_pem());
    }
}
