//! From a search to a document with the finds in it, and what adapters do beyond points.

use crate::bench::Bench;
use axum::http::StatusCode;
use futures_util::future::BoxFuture;
use riser_adapter::{
    AdapterError, Browse, BrowseNode, Built, ConfigError, Discover, DiscoverRequest, ErrorClass,
    Field, FieldKind, Found, Kind, Operate, Operation, SearchField,
};
use riser_api::ConfigurationJob;
use riser_model::{
    AuditHash, ConfigurationAsk, ConfigurationPreview, ConfigurationProblem, ConfigurationRefusal,
    ConfigurationRefusalKind, ConfigurationReply, ConfigurationState, ConfigurationVersion, Role,
    Timestamp,
};
use riser_store::AuditFilter;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// The protocol of the scripted adapter.
pub(crate) const KIND: Kind = Kind {
    name: "scripted",
    sample: "# Scripted: what a test says. And more.\n",
    build: |_, _| Err(ConfigError::new("", "never built by the face")),
    discover: Some(|| Box::new(Finder { beside: 0 })),
};

const RUNNING: &str = "# ours\n[[adapter]]\nkind = \"scripted\"\nname = \"field\"\n\
    [[adapter.device]]\nkey = \"ahu-1\"\nid = \"first\"\n";

struct Finder {
    beside: usize,
}

impl Discover for Finder {
    fn discover(
        &self,
        request: DiscoverRequest,
        found: mpsc::Sender<Found>,
        cancel: CancellationToken,
    ) -> BoxFuture<'static, Result<(), AdapterError>> {
        let beside = self.beside;
        Box::pin(async move {
            let devices = request
                .options
                .get("devices")
                .and_then(toml::Value::as_integer);
            let Some(devices) = devices else {
                let class = ErrorClass::Misconfigured;
                return Err(AdapterError::new(class, "look", "devices").advise("say how many"));
            };
            for id in 0..devices {
                let id = if id == 0 {
                    "first".to_owned()
                } else {
                    format!("d{id}")
                };
                let find = Found {
                    address: format!("place {id}, beside {beside}"),
                    identity: vec![("model".into(), "M 1".into())],
                    profile: None,
                    remark: "no profile fits".into(),
                    config: format!("[[device]]\nkey = \"ahu-1\"\nid = \"{id}\"\nlocal_key = \"\"")
                        .parse()
                        .unwrap(),
                };
                if found.send(find).await.is_err() {
                    return Ok(());
                }
            }
            if request.options.contains_key("endless") {
                cancel.cancelled().await;
            }
            Ok(())
        })
    }

    fn fields(&self) -> Vec<SearchField> {
        vec![SearchField {
            field: Field {
                name: "devices".into(),
                title: "Devices".into(),
                kind: FieldKind::Number { min: 0, max: 5000 },
                required: true,
            },
            default: Some(2.into()),
            about: "How many".into(),
            when: None,
        }]
    }

    fn beside(&mut self, running: Vec<toml::Table>) {
        self.beside = running.len();
    }
}

/// Lists one point and one that is not collected, polishes, and fails at it when told to.
pub(crate) struct Helpful;

impl Browse for Helpful {
    fn browse(&self, path: String) -> BoxFuture<'static, Result<Vec<BrowseNode>, AdapterError>> {
        Box::pin(async move {
            assert_ne!(path, "panic", "a defect in an adapter");
            let node = |name: &str, point: Option<usize>| BrowseNode {
                path: format!("{path}/{name}"),
                name: name.to_owned(),
                point: point.map(|index| (*crate::bench::points()[index]).clone()),
                remark: Some("as it is".into()),
            };
            Ok(vec![node("folder", None), node("point", Some(0))])
        })
    }
}

impl Operate for Helpful {
    fn operations(&self) -> Vec<Operation> {
        vec![Operation {
            name: "polish".into(),
            title: "Polish".into(),
            description: "Makes it shine.".into(),
            fields: vec![Field {
                name: "seconds".into(),
                title: "For how long".into(),
                kind: FieldKind::Number { min: 1, max: 60 },
                required: true,
            }],
            confirm: true,
        }]
    }

    fn operate(
        &self,
        _: &str,
        parameters: toml::Table,
    ) -> BoxFuture<'static, Result<toml::Table, AdapterError>> {
        Box::pin(async move {
            match parameters["seconds"].as_integer() {
                Some(13) => Err(AdapterError::new(
                    ErrorClass::Retryable,
                    "polish",
                    "the brass",
                )),
                Some(14) => panic!("a defect in an adapter"),
                _ => Ok("shine = \"bright\"".parse().unwrap()),
            }
        })
    }
}

pub(crate) fn helpful(built: Built) -> Built {
    built
        .browse(std::sync::Arc::new(Helpful))
        .operate(std::sync::Arc::new(Helpful))
}

/// Shows the running document, and finds one thing wrong with every other.
pub(crate) async fn keep_configuration(mut jobs: mpsc::Receiver<ConfigurationJob>) {
    while let Some(job) = jobs.recv().await {
        let answer = match job.ask {
            ConfigurationAsk::Show { .. } => Ok(ConfigurationReply::Shown {
                version: version(),
                document: RUNNING.to_owned(),
            }),
            ConfigurationAsk::Preview { .. } => {
                Ok(ConfigurationReply::Previewed(ConfigurationPreview {
                    problems: vec![ConfigurationProblem {
                        at: "adapter[0].device[1].unit".into(),
                        text: "is missing".into(),
                    }],
                    ..ConfigurationPreview::default()
                }))
            }
            _ => Err(ConfigurationRefusal {
                kind: ConfigurationRefusalKind::Failed,
                message: "not in this test".into(),
            }),
        };
        let _ = job.reply.send(answer);
    }
}

fn version() -> ConfigurationVersion {
    ConfigurationVersion {
        version: 1,
        sha256: AuditHash::ZERO,
        at: Timestamp(0),
        actor: String::new(),
        source: String::new(),
        note: String::new(),
        state: ConfigurationState::Confirmed,
        until: None,
        ended_at: None,
        ended_by: String::new(),
        reason: String::new(),
        proven: true,
        running: true,
    }
}

async fn search(bench: &Bench, cookie: &str, options: Value) -> Value {
    let path = "/api/v1/discovery/scripted";
    let answer = bench.post(path, cookie, json!({"options": options})).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()
}

#[tokio::test]
async fn a_protocol_says_what_can_be_asked_for() {
    let bench = Bench::new().await;
    let cookie = bench.session(Role::Installer).await;
    let answer = bench.get("/api/v1/protocols", &cookie).await.json();
    let protocol = &answer["protocols"][0];
    assert_eq!(protocol["title"], "Scripted");
    assert_eq!(protocol["about"], "what a test says");
    assert_eq!(protocol["adapters"], json!(["field"]));
    assert_eq!(protocol["fields"][0]["takes"]["type"], "number");
    assert_eq!(protocol["fields"][0]["default"], 2);
}

#[tokio::test]
async fn a_search_marks_what_is_known_and_proposes_free_keys() {
    let bench = Bench::new().await;
    let cookie = bench.session(Role::Technician).await;
    let none = bench
        .get("/api/v1/discovery/scripted", &cookie)
        .await
        .json();
    assert_eq!(none["state"], "none");
    let done = search(&bench, &cookie, json!({"devices": 3})).await;
    assert_eq!(done["state"], "done", "{done}");
    assert_eq!(done["words"], "Finished: 3 devices found.");
    let finds = &done["finds"];
    assert_eq!(
        finds[0]["known"],
        json!({"adapter": "field", "device": "ahu-1"})
    );
    assert_eq!(finds[0]["addable"], false);
    assert_eq!(finds[1]["address"], "place d1, beside 1");
    assert_eq!(
        (&finds[1]["key"], &finds[2]["key"]),
        (&json!("ahu-1-2"), &json!("ahu-1-3"))
    );
    assert_eq!(finds[1]["asks"], json!(["local_key"]));
    assert_eq!(finds[1]["name"], "M 1");
}

#[tokio::test]
async fn there_is_one_search_at_a_time_and_it_is_bounded_and_can_be_ended() {
    let bench = Bench::new().await;
    let cookie = bench.session(Role::Technician).await;
    let path = "/api/v1/discovery/scripted";
    let running = search(&bench, &cookie, json!({"devices": 1200, "endless": true})).await;
    assert_eq!(running["state"], "running");
    let again = bench
        .post(path, &cookie, json!({"options": {"devices": 1}}))
        .await;
    assert_eq!(
        (again.status, again.code().as_str()),
        (StatusCode::CONFLICT, "searching")
    );
    let looked = bench.get(path, &cookie).await.json();
    assert_eq!(looked["finds"].as_array().unwrap().len(), 1000);
    assert_eq!(looked["left_out"], 200);
    let ask = crate::bench::request(axum::http::Method::DELETE, path, &cookie, None);
    let ended = bench.send(ask).await.json();
    assert_eq!(ended["state"], "stopped", "{}", ended["words"]);
    assert_eq!(ended["finds"].as_array().unwrap().len(), 1000);
    assert_eq!(
        search(&bench, &cookie, json!({"devices": 0})).await["words"],
        "Finished: nothing found."
    );
    let wrong = bench.post(path, &cookie, json!({"options": {}})).await;
    assert_eq!(
        (wrong.status, wrong.code().as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, "bad_options")
    );
    assert!(wrong.text.contains("say how many"), "{wrong:?}");
    let nobody = bench
        .post("/api/v1/discovery/other", &cookie, json!({}))
        .await;
    assert_eq!(nobody.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn finds_are_put_into_the_document_and_problems_go_to_their_find() {
    let bench = Bench::new().await;
    let cookie = bench.session(Role::Technician).await;
    search(&bench, &cookie, json!({"devices": 3})).await;
    let add = |finds: Value| {
        let body = json!({"kind": "scripted", "adapter": "field", "finds": finds});
        bench.post("/api/v1/additions", &cookie, body)
    };
    let twice = add(json!([
        {"id": 1, "key": "ahu-1", "values": {"local_key": "x"}},
        {"id": 2, "key": "new"},
    ]))
    .await
    .json();
    assert_eq!(twice["document"], Value::Null);
    assert_eq!(
        twice["problems"][0],
        json!({"id": 1, "text": "key 'ahu-1' is another device's", "proposal": "ahu-1-2"})
    );
    assert_eq!(twice["problems"][1]["text"], "'local_key' has to be given");
    let good =
        add(json!([{"id": 2, "key": "new", "name": "New one", "profile": "p", "values": {"local_key": "s3"}}]))
            .await
            .json();
    let expected = format!(
        "{RUNNING}\n[[adapter.device]]\nkey = \"new\"\nname = \"New one\"\nid = \"d2\"\nlocal_key = \"s3\"\nprofile = \"p\"\n"
    );
    assert_eq!(good["document"], expected);
    assert_eq!(good["problems"][0]["id"], 2, "{good}");
    assert_eq!(good["problems"][0]["text"], "unit: is missing");
    let gone = add(json!([{"id": 9}])).await;
    assert_eq!(
        (gone.status, gone.code().as_str()),
        (StatusCode::CONFLICT, "find_gone")
    );
    let nothing = add(json!([])).await;
    assert_eq!(nothing.code(), "nothing_chosen");
}

#[tokio::test]
async fn an_adapter_says_what_can_be_done_with_it() {
    let bench = Bench::new().await;
    let cookie = bench.session(Role::Technician).await;
    let list = bench.get("/api/v1/adapters", &cookie).await.json();
    assert_eq!(list["adapters"][0]["operations"], 1);
    assert_eq!(list["adapters"][0]["can_browse"], true);
    let offered = bench
        .get("/api/v1/adapters/field/operations", &cookie)
        .await
        .json();
    assert_eq!(
        offered["operations"][0]["fields"][0]["takes"],
        json!({"type": "number", "min": 1, "max": 60})
    );
    assert_eq!(offered["devices"], json!(["ahu-1"]));
}

/// Action and state of the entries about operations, the oldest first.
async fn recorded(bench: &Bench) -> Vec<(String, String)> {
    let filter = AuditFilter {
        limit: 100,
        ..AuditFilter::default()
    };
    let log = bench.store.audit(filter).await.unwrap();
    log.iter()
        .rev()
        .filter(|e| e.action.starts_with("operation"))
        .map(|e| {
            assert_eq!(
                (e.actor.as_str(), e.source.as_str()),
                ("technician", "192.0.2.1")
            );
            assert_eq!(e.object, "field/polish");
            let detail: Value = serde_json::from_str(&e.detail).unwrap();
            (
                e.action.clone(),
                detail["state"].as_str().unwrap_or("asked").to_owned(),
            )
        })
        .collect()
}

#[tokio::test]
async fn operations_are_checked_done_and_recorded() {
    let bench = Bench::new().await;
    let cookie = bench.session(Role::Technician).await;
    let path = "/api/v1/adapters/field/operations/polish";
    let polish =
        |seconds: u32| bench.post(path, &cookie, json!({"parameters": {"seconds": seconds}}));
    let bright = polish(5).await;
    assert_eq!(
        bright.json()["answer"],
        json!({"shine": "bright"}),
        "{bright:?}"
    );
    for (seconds, status, says) in [
        (
            61,
            StatusCode::UNPROCESSABLE_ENTITY,
            "For how long: is not a whole number from 1 to 60",
        ),
        (13, StatusCode::BAD_GATEWAY, "could not polish on the brass"),
        (14, StatusCode::BAD_GATEWAY, "failed inside"),
    ] {
        let answer = polish(seconds).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.text.contains(says), "{answer:?}");
    }
    let unknown = bench
        .post("/api/v1/adapters/field/operations/melt", &cookie, json!({}))
        .await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    let told = recorded(&bench).await;
    let told: Vec<_> = told.iter().map(|(a, s)| (a.as_str(), s.as_str())).collect();
    let asked = ("operation", "asked");
    let ended = |state| ("operation_outcome", state);
    let all = [
        asked,
        ended("done"),
        asked,
        ended("refused"),
        asked,
        ended("failed"),
        asked,
        ended("failed"),
    ];
    assert_eq!(told, all);
}

#[tokio::test]
async fn devices_are_browsed_and_a_defect_ends_only_that_question() {
    let bench = Bench::new().await;
    let cookie = bench.session(Role::Installer).await;
    let browse = |path: &str| {
        let url = format!("/api/v1/adapters/field/browse?path={path}");
        let (bench, cookie) = (&bench, &cookie);
        async move { bench.get(&url, cookie).await }
    };
    let nodes = browse("").await.json();
    assert_eq!(nodes["nodes"][0]["point"], Value::Null);
    assert_eq!(nodes["nodes"][1]["collected"], true, "{nodes}");
    assert_eq!(browse("panic").await.status, StatusCode::BAD_GATEWAY);
    assert_eq!(browse("x").await.json()["nodes"][0]["path"], "x/folder");
    assert_eq!(
        bench
            .get("/api/v1/adapters/nobody/browse", &cookie)
            .await
            .status,
        StatusCode::NOT_FOUND
    );
}
