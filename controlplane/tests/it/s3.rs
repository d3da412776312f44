//! The S3 interface as boto3 and s3cmd see it, and the access keys that open it.

mod external;
mod faults;

use std::{env, path::Path, process::Stdio, sync::Arc};

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    http::Http,
    plane::{Plane, text},
};

crate::databases::on_both_databases![
    boto3_does_all_that_clients_do,
    boto3_does_the_same_over_https,
    keys_are_made_shown_once_rotated_and_revoked,
    whoever_is_deleted_or_loses_a_role_is_refused_at_once,
];

/// A Python with boto3; without one the test says that it was not run.
fn python() -> Option<String> {
    let python = env::var("UTOPIA_TEST_S3_PYTHON").ok();
    if python.is_none() {
        assert!(env::var("CI").is_err(), "UTOPIA_TEST_S3_PYTHON is not set");
        eprintln!("SKIPPED: UTOPIA_TEST_S3_PYTHON names no Python with `boto3`");
    }
    python
}

/// An access key of a person's, as the suite takes it.
async fn key(http: &Http, name: &str) -> Json {
    http.post("/api/access-keys", &json!({"name": name})).await.expect(201)
}

/// Runs scenarios of the suite, or all. Answers what went wrong.
async fn suite(python: &str, settings: &Json, scenarios: &[&str]) -> Result<(), String> {
    let output = begin(python, settings, scenarios).await.wait_with_output().await.unwrap();
    let said = [output.stdout, output.stderr].concat();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&said).into_owned()) }
}

/// Starts scenarios of the suite.
async fn begin(python: &str, settings: &Json, scenarios: &[&str]) -> Child {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/s3/suite.py");
    let mut child = Command::new(python);
    // No file of this machine's user counts.
    child.args(["-B".as_ref(), script.as_os_str()]).args(scenarios).kill_on_drop(true).env("HOME", "/nowhere");
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(settings.to_string().as_bytes()).await.unwrap();
    child
}

/// What the suite is told of a control plane.
async fn settings(plane: &Plane) -> Json {
    let reader = plane.as_person(&plane.people.readonly);
    json!({
        "endpoint": endpoint(plane),
        "owner": key(&plane.as_user(), "suite").await,
        "other": key(&plane.as_other(), "suite").await,
        "admin": key(&plane.as_admin(), "suite").await,
        "reader": key(&reader, "suite").await,
        "megabytes": 100,
    })
}

fn endpoint(plane: &Plane) -> String {
    format!("http://{}/minio", plane.running.started.http_addr)
}

/// TLS in front of a control plane, as a proxy would have it.
struct Tls {
    endpoint: String,
    directory: TempDir,
    _proxy: JoinSet<()>,
}

impl Tls {
    async fn before(plane: &Plane) -> Self {
        let certificate = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ca.pem"), certificate.cert.pem()).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(certificate.signing_key.serialize_der()));
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let config = config.with_single_cert(vec![certificate.cert.der().clone()], key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("https://{}/minio", listener.local_addr().unwrap());
        let address = plane.running.started.http_addr;
        let mut proxy = JoinSet::new();
        proxy.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                connections.spawn(async move {
                    let Ok(mut outer) = acceptor.accept(stream).await else { return };
                    let mut inner = TcpStream::connect(address).await.unwrap();
                    // Clients hang up as they like.
                    let _ = copy_bidirectional(&mut outer, &mut inner).await;
                });
            }
        });
        Self { endpoint, directory, _proxy: proxy }
    }

    /// The settings of the suite, to go through it.
    fn through(&self, mut settings: Json) -> Json {
        settings["endpoint"] = json!(self.endpoint);
        settings["ca"] = json!(self.directory.path().join("ca.pem"));
        settings
    }
}

async fn boto3_does_all_that_clients_do(plane: &Plane) {
    let Some(python) = python() else { return };
    let settings = settings(plane).await;
    suite(&python, &settings, &[]).await.unwrap_or_else(|error| panic!("{error}"));

    // What is kept is the same to who asks otherwise.
    let kept = plane.as_user().get("/api/storage/buckets?limit=100").await.expect(200);
    let multipart = kept["buckets"].as_array().unwrap().iter().find(|bucket| bucket["name"] == "b-multipart").unwrap();
    assert_eq!((&multipart["username"], &multipart["objects"]), (&json!("uma"), &json!(1)));
    assert_eq!(multipart["bytes"], json!(100 << 20));
    assert_eq!(plane.as_other().get("/api/storage/buckets").await.expect(200)["total"], 1);
    assert!(plane.as_admin().get("/api/storage/buckets").await.expect(200)["total"].as_i64().unwrap() > 8);
    let metrics = plane.http.get("/metrics").await.text;
    assert!(metrics.contains("utopia_s3_received_bytes_total{user=\"uma\"}"), "{metrics}");

    // Secrets lie sealed.
    for file in plane.database_files().iter().filter(|file| file.exists()) {
        let bytes = std::fs::read(file).unwrap();
        for who in ["owner", "other", "admin", "reader"] {
            let secret = text(&settings[who], "secret").as_bytes();
            assert!(!bytes.windows(secret.len()).any(|window| window == secret), "a secret in {}", file.display());
        }
    }
}

async fn boto3_does_the_same_over_https(plane: &Plane) {
    let Some(python) = python() else { return };
    let tls = Tls::before(plane).await;
    let mut settings = tls.through(settings(plane).await);
    settings["megabytes"] = json!(20);
    suite(&python, &settings, &[]).await.unwrap_or_else(|error| panic!("{error}"));
}

async fn keys_are_made_shown_once_rotated_and_revoked(plane: &Plane) {
    let (user, other) = (plane.as_user(), plane.as_other());
    let made = key(&user, "backups").await;
    let (id, secret) = (text(&made, "id"), text(&made, "secret"));
    assert!(!secret.is_empty());
    user.post("/api/access-keys", &json!({"name": "backups"})).await.expect_error(409, "AccessKeyNameTaken");
    user.post("/api/access-keys", &json!({"name": ""})).await.expect_error(400, "MissingField");
    let listed = user.get("/api/access-keys").await.expect(200);
    assert_eq!((&listed["total"], &listed["access_keys"][0]["id"]), (&json!(1), &json!(id)));
    assert_eq!(listed["access_keys"][0]["secret"], "");
    assert_eq!(other.get("/api/access-keys").await.expect(200)["total"], 0);
    assert_eq!(plane.as_admin().get("/api/access-keys").await.expect(200)["total"], 1);

    let path = format!("/api/access-keys/{id}");
    let rotate = format!("{path}/rotate");
    for stranger in [&other, &plane.as_admin()] {
        stranger.post(&rotate, &json!({})).await.expect_error(404, "NotFound");
    }
    let rotated = user.post(&rotate, &json!({})).await.expect(200);
    assert_eq!(rotated["id"], id);
    assert_ne!(text(&rotated, "secret"), secret);
    opens(plane, &made, "reaches", Err("SignatureDoesNotMatch")).await;
    opens(plane, &rotated, "reaches", Ok(())).await;

    other.delete(&path).await.expect_error(404, "NotFound");
    user.delete(&path).await.expect(200);
    user.delete(&path).await.expect_error(404, "NotFound");
    opens(plane, &rotated, "reaches", Err("InvalidAccessKeyId")).await;
}

async fn whoever_is_deleted_or_loses_a_role_is_refused_at_once(plane: &Plane) {
    let (key, admin) = (key(&plane.as_other(), "suite").await, plane.as_admin());
    let user = format!("/api/v1/users/{}", plane.people.other.uuid);
    opens(plane, &key, "writes", Ok(())).await;
    admin.put(&user, &json!({"role": "readonly"})).await.expect(200);
    opens(plane, &key, "writes", Err("AccessDenied")).await;
    opens(plane, &key, "reaches", Ok(())).await;
    admin.delete(&user).await.expect(200);
    opens(plane, &key, "reaches", Err("InvalidAccessKeyId")).await;
}

/// Whether a key lets a scenario happen, as boto3 and s3cmd see it, or which error says that it does not.
async fn opens(plane: &Plane, key: &Json, scenario: &str, expected: Result<(), &str>) {
    let Some(python) = python() else { return };
    let settings = json!({"endpoint": endpoint(plane), "owner": key});
    let outcome = suite(&python, &settings, &[scenario]).await;
    match (&outcome, expected) {
        (Ok(()), Ok(())) => {}
        (Err(error), Err(code)) if error.contains(&format!("An error occurred ({code})")) => {}
        (outcome, _) => panic!("{outcome:?} is not {expected:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3cmd_lists_puts_gets_and_deletes() {
    crate::databases::with_sqlite(async |url| {
        // It signs no prefix before the bucket.
        let plane = Plane::start_as(url, &["--s3-addr", "127.0.0.1:0"]).await;
        s3cmd_does_what_it_can(&plane).await;
        plane.stop().await;
    })
    .await;
}

async fn s3cmd_does_what_it_can(plane: &Plane) {
    if let Err(error) = Command::new("s3cmd").arg("--version").output().await {
        assert!(env::var("CI").is_err(), "there is no s3cmd: {error}");
        return eprintln!("SKIPPED: there is no s3cmd: {error}");
    }
    let (key, directory) = (key(&plane.as_user(), "s3cmd").await, tempfile::tempdir().unwrap());
    let address = plane.running.started.s3_addr.unwrap();
    let configuration = format!(
        "[default]\naccess_key = {}\nsecret_key = {}\nhost_base = {address}\nhost_bucket = {address}\n\
         bucket_location = us-east-1\nuse_https = False\nsignature_v2 = False\n",
        text(&key, "id"),
        text(&key, "secret"),
    );
    let at = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(at("s3cfg"), configuration).unwrap();
    std::fs::write(at("sent"), "what s3cmd sends".repeat(1_000)).unwrap();
    let s3cmd = async |arguments: &[&str]| {
        let mut command = Command::new("s3cmd");
        // Without a locale of this kind it takes names for ASCII.
        let command = command.env("LC_ALL", "C.UTF-8").args(["--config", &at("s3cfg"), "--no-progress"]).args(arguments);
        let output = command.output().await.unwrap();
        let (said, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{arguments:?}: {said} {error}");
        said.into_owned()
    };
    s3cmd(&["mb", "s3://tool"]).await;
    s3cmd(&["put", &at("sent"), "s3://tool/a b/ü+"]).await;
    assert!(s3cmd(&["ls", "--recursive", "s3://tool"]).await.contains("s3://tool/a b/ü+"));
    s3cmd(&["get", "s3://tool/a b/ü+", &at("received")]).await;
    assert_eq!(std::fs::read(at("sent")).unwrap(), std::fs::read(at("received")).unwrap());
    s3cmd(&["del", "s3://tool/a b/ü+"]).await;
    assert_eq!(s3cmd(&["ls", "s3://tool"]).await, "");
    s3cmd(&["rb", "s3://tool"]).await;
}
