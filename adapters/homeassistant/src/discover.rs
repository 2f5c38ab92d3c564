//! Finding a Home Assistant: asks the hosts a person names, or the usual name, for its greeting.

use crate::client::socket::{Lost, greet, is_too_old};
use crate::config::{Choice, Config, Endpoint, Token};
use crate::tls::Trust;
use futures_util::future::BoxFuture;
use riser_adapter::config::parse;
use riser_adapter::{
    AdapterError, Discover, DiscoverRequest, ErrorClass, Field, FieldKind, Found, SearchField,
};
use rustls::ClientConfig;
use serde::Deserialize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Hosts asked at most.
const HOSTS: usize = 256;
const USUAL: &str = "homeassistant.local";

pub(crate) fn make() -> Box<dyn Discover> {
    Box::new(Search)
}

struct Search;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    #[serde(default)]
    hosts: String,
    #[serde(default = "usual_port")]
    port: u16,
}

fn usual_port() -> u16 {
    8123
}

impl Discover for Search {
    fn discover(
        &self,
        request: DiscoverRequest,
        found: mpsc::Sender<Found>,
        cancel: CancellationToken,
    ) -> BoxFuture<'static, Result<(), AdapterError>> {
        Box::pin(async move {
            let options: Options = parse("", &request.options).map_err(|e| {
                let at = e.at.clone();
                AdapterError::new(ErrorClass::Misconfigured, "look for Home Assistant", at)
                    .because(e)
            })?;
            tokio::select! {
                () = cancel.cancelled() => {}
                () = look(&options, &found) => {}
            }
            Ok(())
        })
    }

    fn fields(&self) -> Vec<SearchField> {
        let field = |name: &str, title: &str, kind| Field {
            name: name.to_owned(),
            title: title.to_owned(),
            kind,
            required: false,
        };
        vec![
            SearchField {
                field: field("hosts", "Hosts", FieldKind::Text),
                default: Some(USUAL.into()),
                about: "names or addresses, with commas between them".to_owned(),
                when: None,
            },
            SearchField {
                field: field(
                    "port",
                    "Port",
                    FieldKind::Number {
                        min: 1,
                        max: 65_535,
                    },
                ),
                default: Some(i64::from(usual_port()).into()),
                about: String::new(),
                when: None,
            },
        ]
    }
}

async fn look(options: &Options, found: &mpsc::Sender<Found>) {
    let hosts = options
        .hosts
        .split([',', ' ', ';'])
        .filter(|h| !h.is_empty());
    let mut hosts: Vec<&str> = hosts.take(HOSTS).collect();
    if hosts.is_empty() {
        hosts.push(USUAL);
    }
    for host in hosts {
        let Some(find) = ask(host, options.port).await else {
            continue;
        };
        if found.send(find).await.is_err() {
            return;
        }
    }
}

/// What answers at a host, by HTTP or by HTTPS; nothing where nobody is.
async fn ask(host: &str, port: u16) -> Option<Found> {
    let at = |secure| Endpoint {
        host: host.to_owned(),
        port,
        secure,
    };
    let stranger = match greeting(at(false), None).await {
        Ok(version) => return Some(home_assistant(&at(false), version, true)),
        Err(Lost::Stranger { why, .. }) => why,
        Err(_) => return None,
    };
    let tls = |verify| {
        let trust = Trust {
            ca: None,
            verify,
            identity: None,
        };
        trust.client(Path::new("")).ok()
    };
    // No secret is shown to whoever answers: this only finds out who it is.
    if let Ok(version) = greeting(at(true), tls(false)).await {
        let trusted = greeting(at(true), tls(true)).await.is_ok();
        return Some(home_assistant(&at(true), version, trusted));
    }
    Some(Found {
        address: at(false).to_string(),
        identity: Vec::new(),
        profile: None,
        remark: format!("something answers, but not like Home Assistant: {stranger}"),
        config: toml::Table::new(),
    })
}

async fn greeting(endpoint: Endpoint, tls: Option<Arc<ClientConfig>>) -> Result<String, Lost> {
    let config = Config {
        endpoint,
        token: Token(String::new()),
        tls,
        choice: Choice::default(),
        include_riser: false,
        backfill_days: 0,
        confirm: Duration::ZERO,
        ping: Duration::ZERO,
    };
    greet(&config).await.map(|(_, version)| version)
}

fn home_assistant(endpoint: &Endpoint, version: String, trusted: bool) -> Found {
    let mut config = toml::Table::new();
    let mut remark =
        "it wants a long-lived access token: make one in the user's profile there".to_owned();
    if is_too_old(&version) {
        remark = "it is too old for this gateway: update it first".to_owned();
    } else {
        config.insert("url".to_owned(), endpoint.to_string().into());
        config.insert("token".to_owned(), "".into());
        if !trusted {
            remark += "; its certificate is not trusted here: name it, or the one that signed it, in 'ca'";
            config.insert("ca".to_owned(), "".into());
        }
    }
    Found {
        address: endpoint.to_string(),
        identity: vec![("Home Assistant".to_owned(), version)],
        profile: None,
        remark,
        config,
    }
}
