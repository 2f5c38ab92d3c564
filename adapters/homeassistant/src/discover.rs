//! Finding a Home Assistant: asks the hosts a person names, or the usual name, for its greeting.

use crate::client::socket::{Lost, greet};
use crate::config::{Choice, Config, Endpoint, Token};
use futures_util::future::BoxFuture;
use riser_adapter::config::parse;
use riser_adapter::{
    AdapterError, Discover, DiscoverRequest, ErrorClass, Field, FieldKind, Found, SearchField,
};
use serde::Deserialize;
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
        let endpoint = Endpoint {
            host: host.to_owned(),
            port: options.port,
            secure: false,
        };
        let Some(find) = ask(endpoint).await else {
            continue;
        };
        if found.send(find).await.is_err() {
            return;
        }
    }
}

/// What answers; nothing of hosts where nobody is.
async fn ask(endpoint: Endpoint) -> Option<Found> {
    let address = endpoint.to_string();
    let config = Config {
        endpoint,
        token: Token(String::new()),
        tls: None,
        choice: Choice::default(),
        include_riser: false,
        backfill_days: 0,
        confirm: Duration::ZERO,
        ping: Duration::ZERO,
    };
    let mut find = Found {
        address: address.clone(),
        identity: Vec::new(),
        profile: None,
        remark: String::new(),
        config: toml::Table::new(),
    };
    match greet(&config).await {
        Ok((_, version)) => {
            find.identity.push(("Home Assistant".to_owned(), version));
            find.remark =
                "it wants a long-lived access token: make one in the user's profile there"
                    .to_owned();
            find.config.insert("url".to_owned(), address.into());
            find.config.insert("token".to_owned(), "".into());
            Some(find)
        }
        Err(Lost::Stranger { why, .. }) => {
            find.remark = format!("something answers, but not like Home Assistant: {why}");
            Some(find)
        }
        Err(_) => None,
    }
}
