//! Searching for devices and putting finds into the configuration. Owns the routes, and what of the
//! running configuration a find is compared with; searching is `search`, the text is `adding`.

use super::extract::{Body, From as Asker};
use crate::adding::{self, Choice, Standing, Target, Trouble};
use crate::auth::Caller;
use crate::face::Face;
use crate::plain;
use crate::refusal::Refusal;
use crate::search::{Ending, Job, networks};
use crate::shape::commissioning::{
    Addition, AdditionProblem, AdditionRequest, Find, Known, Protocol, ProtocolList, Said, Search,
    SearchInput, SearchRequest, SearchState,
};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use riser_model::{ConfigurationAsk, ConfigurationPreview, ConfigurationReply};
use riser_runtime::{Discover, Found, devices};
use riser_store::Trace;
use std::collections::BTreeSet;
use std::net::IpAddr;
use toml::Value;

/// Words of a find's identity that make a name.
const NAMES: [&str; 6] = [
    "name",
    "friendly_name",
    "model_name",
    "product_name",
    "model",
    "product_code",
];

/// The running document; secrets are hidden in it. Empty where nobody keeps it.
async fn document(face: &Face, by: Trace) -> String {
    let show = ConfigurationAsk::Show { version: None };
    match face.configuration().ask(show, by, None).await {
        Ok(ConfigurationReply::Shown { document, .. }) => document,
        _ => String::new(),
    }
}

fn trace(caller: &Caller, address: IpAddr) -> Trace {
    Trace::new(caller.user.clone(), address.to_string())
}

/// The keys of all devices there are, configured or found by an adapter itself.
fn taken(face: &Face, all: &[Standing]) -> BTreeSet<String> {
    let configured = all.iter().flat_map(|a| devices(&a.table));
    let keys = configured.filter_map(|d| d.get("key").and_then(Value::as_str).map(str::to_owned));
    let running = face.runtime().owners().into_keys().map(|k| k.to_string());
    keys.chain(running).collect()
}

/// The protocols devices can be added of
#[utoipa::path(get, path = "/api/v1/protocols", tag = "commissioning",
    responses((status = 200, body = ProtocolList)))]
pub(super) async fn protocols(
    State(face): State<Face>,
    caller: Caller,
    Asker(address): Asker,
) -> Json<ProtocolList> {
    let all = adding::standing(&document(&face, trace(&caller, address)).await);
    let searches = face.searches();
    let protocols = searches.kinds().iter().map(|kind| {
        let finder = kind.discover.map(|make| make());
        let (title, about) = introduction(kind.name, kind.sample);
        let own = all.iter().filter(|a| a.kind == kind.name);
        let fields = finder.as_ref().map_or_else(Vec::new, |f| f.fields());
        Protocol {
            kind: kind.name.to_owned(),
            title,
            about,
            sample: kind.sample.to_owned(),
            can_search: finder.is_some(),
            searching: searches.searching(kind.name),
            has_profiles: kind.sample.contains("\nprofile = "),
            fields: fields.into_iter().map(SearchInput::from).collect(),
            adapters: own.map(|a| a.name.clone()).collect(),
        }
    });
    Json(ProtocolList {
        protocols: protocols.collect(),
        networks: networks::attached(),
    })
}

/// The first line of a sample, `# Title: what it is.`, as a title and a sentence.
fn introduction(kind: &str, sample: &str) -> (String, String) {
    let first = sample.lines().next().unwrap_or_default();
    let first = first.trim_start_matches(['#', ' ']);
    match first.split_once(": ") {
        Some((title, about)) => {
            let about = about.split(". ").next().unwrap_or(about);
            (title.to_owned(), about.trim_end_matches('.').to_owned())
        }
        None => (kind.to_owned(), first.to_owned()),
    }
}

/// Start a search for devices
///
/// There is one of a protocol at a time. It ends by itself, or when nobody has asked for it for a
/// minute. What the running adapters have open is left alone.
#[utoipa::path(post, path = "/api/v1/discovery/{kind}", tag = "commissioning",
    params(("kind" = String, Path)), request_body = SearchRequest,
    responses((status = 200, body = Search)))]
pub(super) async fn start(
    State(face): State<Face>,
    caller: Caller,
    Asker(address): Asker,
    Path(kind): Path<String>,
    Body(request): Body<SearchRequest>,
) -> Result<Json<Search>, Refusal> {
    let all = adding::standing(&document(&face, trace(&caller, address)).await);
    let own = all.iter().filter(|a| a.kind == kind);
    let running = own.map(|a| a.table.clone()).collect();
    let options = plain::table(request.options);
    let job = face.searches().start(&kind, options, running).await?;
    Ok(Json(shown(&face, &kind, Some(&job), &all)?))
}

/// A search and what it has found so far
#[utoipa::path(get, path = "/api/v1/discovery/{kind}", tag = "commissioning",
    params(("kind" = String, Path)), responses((status = 200, body = Search)))]
pub(super) async fn look(
    State(face): State<Face>,
    caller: Caller,
    Asker(address): Asker,
    Path(kind): Path<String>,
) -> Result<Json<Search>, Refusal> {
    let job = face.searches().job(&kind);
    let all = adding::standing(&document(&face, trace(&caller, address)).await);
    Ok(Json(shown(&face, &kind, job.as_deref(), &all)?))
}

/// End a search; its finds stay
#[utoipa::path(delete, path = "/api/v1/discovery/{kind}", tag = "commissioning",
    params(("kind" = String, Path)), responses((status = 200, body = Search)))]
pub(super) async fn cancel(
    State(face): State<Face>,
    caller: Caller,
    Asker(address): Asker,
    Path(kind): Path<String>,
) -> Result<Json<Search>, Refusal> {
    let job = face.searches().cancel(&kind).await;
    let all = adding::standing(&document(&face, trace(&caller, address)).await);
    Ok(Json(shown(&face, &kind, job.as_deref(), &all)?))
}

fn shown(face: &Face, kind: &str, job: Option<&Job>, all: &[Standing]) -> Result<Search, Refusal> {
    let finder = face.searches().finder(kind)?;
    let Some(job) = job else {
        return Ok(Search {
            kind: kind.to_owned(),
            state: SearchState::None,
            words: "Nobody has searched yet.".to_owned(),
            options: serde_json::Map::new(),
            started_at: None,
            ended_at: None,
            finds: Vec::new(),
            left_out: 0,
        });
    };
    let own: Vec<&Standing> = all.iter().filter(|a| a.kind == kind).collect();
    let mut taken = taken(face, all);
    let progress = job.progress();
    let finds = progress.finds.iter().enumerate();
    let finds = finds
        .map(|(id, found)| find((id, found), &*finder, &own, &mut taken))
        .collect();
    Ok(Search {
        kind: kind.to_owned(),
        state: match &progress.ended {
            None => SearchState::Running,
            Some((_, Ending::Done)) => SearchState::Done,
            Some((_, Ending::Options(_) | Ending::Failed(_))) => SearchState::Failed,
            Some((_, Ending::Cancelled | Ending::Forgotten | Ending::TooLong)) => {
                SearchState::Stopped
            }
        },
        words: progress.words(),
        options: plain::object(said(&job.options)),
        started_at: Some(job.started_at),
        ended_at: progress.ended.as_ref().map(|(at, _)| *at),
        finds,
        left_out: progress.left_out,
    })
}

/// What a search was told, without what is nobody's business.
fn said(options: &toml::Table) -> toml::Table {
    let secret = |key: &str| {
        ["password", "token", "secret", "key"]
            .iter()
            .any(|w| key.contains(w))
    };
    let open = options.iter().filter(|(key, _)| !secret(key));
    open.map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

fn find(
    (id, found): (usize, &Found),
    finder: &dyn Discover,
    own: &[&Standing],
    taken: &mut BTreeSet<String>,
) -> Find {
    let known = own.iter().find_map(|adapter| {
        Some(Known {
            adapter: adapter.name.clone(),
            device: adding::known(finder, &adapter.table, found)?,
        })
    });
    let key = adding::key_of(&found.config).map(|wanted| {
        let free = adding::free_key(wanted, taken);
        if known.is_none() {
            taken.insert(free.clone());
        }
        free
    });
    let named = devices(&found.config)
        .next()
        .and_then(|d| d.get("name")?.as_str());
    let mut said = NAMES.iter().filter_map(|name| {
        let entry = found.identity.iter().find(|(n, _)| n == name);
        entry
            .map(|(_, value)| value.trim())
            .filter(|v| !v.is_empty())
    });
    let name = named.or_else(|| said.next()).unwrap_or_default().to_owned();
    let identity = found.identity.iter();
    Find {
        id,
        address: found.address.clone(),
        identity: identity
            .map(|(name, value)| Said {
                name: name.clone(),
                value: value.clone(),
            })
            .collect(),
        profile: found.profile.clone(),
        remark: found.remark.clone(),
        addable: !found.config.is_empty() && known.is_none(),
        known,
        key,
        name,
        asks: adding::asks(&found.config),
    }
}

/// The configuration with finds in it, to look at and to apply
///
/// Nothing is changed; `POST /api/v1/config` applies the document, on trial.
#[utoipa::path(post, path = "/api/v1/additions", tag = "commissioning",
    request_body = AdditionRequest, responses((status = 200, body = Addition)))]
pub(super) async fn add(
    State(face): State<Face>,
    caller: Caller,
    Asker(address): Asker,
    Body(request): Body<AdditionRequest>,
) -> Result<Json<Addition>, Refusal> {
    let finder = face.searches().finder(&request.kind)?;
    let job = face.searches().job(&request.kind);
    let finds = job.map_or_else(Vec::new, |job| job.progress().finds.clone());
    let choices = choices(&request, &finds)?;
    let by = trace(&caller, address);
    let running = document(&face, by.clone()).await;
    let all = adding::standing(&running);
    let target = match (request.new, request.adapter.trim().to_owned()) {
        (true, name) => Target::New(name),
        (false, name) => Target::Existing(name),
    };
    let kind = (request.kind.as_str(), &*finder);
    let added = match adding::add(&running, kind, &target, &choices, &taken(&face, &all)) {
        Ok(added) => added,
        Err(troubles) => {
            return Ok(Json(Addition {
                problems: troubles.into_iter().map(problem).collect(),
                ..Addition::default()
            }));
        }
    };
    let document = added.text.clone();
    let ask = ConfigurationAsk::Preview { document };
    let ConfigurationReply::Previewed(preview) = face.configuration().ask(ask, by, None).await?
    else {
        return Err(Refusal::internal("another answer than was asked for"));
    };
    Ok(Json(addition(added, preview)))
}

fn choices<'f>(request: &AdditionRequest, finds: &'f [Found]) -> Result<Vec<Choice<'f>>, Refusal> {
    let chosen = request.finds.iter().map(|chosen| {
        let gone = || {
            let text =
                "this find is gone: the gateway was started again or searches anew; search again";
            Refusal::new(StatusCode::CONFLICT, "find_gone", text)
        };
        Ok(Choice {
            number: chosen.id,
            find: finds.get(chosen.id).ok_or_else(gone)?,
            key: chosen.key.clone(),
            name: chosen.name.clone(),
            profile: chosen.profile.clone(),
            values: plain::table(chosen.values.clone()),
        })
    });
    let choices: Vec<Choice<'f>> = chosen.collect::<Result<_, Refusal>>()?;
    if choices.is_empty() {
        let text = "no find was chosen";
        return Err(Refusal::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "nothing_chosen",
            text,
        ));
    }
    Ok(choices)
}

fn problem(trouble: Trouble) -> AdditionProblem {
    AdditionProblem {
        id: trouble.number,
        text: trouble.text,
        proposal: trouble.proposal,
    }
}

fn addition(added: adding::Added, preview: ConfigurationPreview) -> Addition {
    let problems = preview.problems.into_iter().map(|problem| {
        let mut places = added.places.iter();
        let of_find = places.find_map(|(place, number)| {
            let below = problem.at.strip_prefix(place.as_str())?;
            let below = below.strip_prefix('.').or(below.is_empty().then_some(""))?;
            Some((*number, below.to_owned()))
        });
        let (id, at) = of_find.map_or((None, problem.at), |(id, below)| (Some(id), below));
        AdditionProblem {
            id,
            text: if at.is_empty() {
                problem.text
            } else {
                format!("{at}: {}", problem.text)
            },
            proposal: None,
        }
    });
    Addition {
        problems: problems.collect(),
        document: Some(added.text),
        answer: preview.answer,
        points: preview.points,
        points_total: preview.points_total,
        doubts: preview.doubts,
    }
}
