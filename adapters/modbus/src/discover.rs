//! Finding devices nobody has configured: hosts × unit ids at a polite rate. Owns what is asked of a
//! stranger: its identification (function 43/14), one register, and what profiles name as fingerprint.

mod ask;
mod fields;
mod place;
mod scope;

use ask::{Asker, Sign};
use place::Open;
use riser_adapter::{AdapterError, Discover, DiscoverRequest, ErrorClass, Found, SearchField};
use scope::{Scope, Target};

use crate::codec::{Request, Table};
use crate::config::{Fingerprint, Profile, Profiles};
use futures_util::future::BoxFuture;
use futures_util::{StreamExt, stream};
use std::sync::Arc;
use tokio::sync::{Mutex, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Hosts asked at the same time; the rate holds for all of them together.
const HOSTS_AT_ONCE: usize = 16;

/// A reserved unit id, which no device has (Modbus over Serial Line V1.02, clause 2.2).
const NOBODY: u8 = 249;

/// Makes the capability.
pub(crate) fn make() -> Box<dyn Discover> {
    Box::new(ModbusDiscovery { open: Vec::new() })
}

struct ModbusDiscovery {
    /// Lanes of adapters that run.
    open: Vec<Open>,
}

impl Discover for ModbusDiscovery {
    fn discover(
        &self,
        request: DiscoverRequest,
        found: mpsc::Sender<Found>,
        cancel: CancellationToken,
    ) -> BoxFuture<'static, Result<(), AdapterError>> {
        let open = self.open.clone();
        Box::pin(async move {
            let misconfigured = |e: riser_adapter::ConfigError| {
                AdapterError::new(ErrorClass::Misconfigured, "look for devices", e.at.clone())
                    .because(e)
            };
            let scope = Scope::new(&request.options).map_err(misconfigured)?;
            let profiles = Profiles::load(scope.profile_dir.as_deref()).map_err(misconfigured)?;
            let search = Search {
                pace: Mutex::new(Instant::now()),
                profiles,
                open,
                found,
            };
            let (search, scope) = (Arc::new(search), Arc::new(scope));
            let targets = scope.targets.clone();
            let work = stream::iter(targets).for_each_concurrent(HOSTS_AT_ONCE, |target| {
                let (search, scope) = (search.clone(), scope.clone());
                async move { search.host(&scope, target).await }
            });
            tokio::select! {
                () = cancel.cancelled() => {}
                () = work => {}
            }
            Ok(())
        })
    }

    fn fields(&self) -> Vec<SearchField> {
        fields::fields()
    }

    fn beside(&mut self, running: Vec<toml::Table>) {
        self.open = running.iter().flat_map(place::open).collect();
    }

    fn known(&self, configured: &toml::Table, find: &Found) -> Option<String> {
        place::known(configured, find)
    }

    fn join(&self, configured: &toml::Table, find: &Found) -> toml::Table {
        place::join(configured, find)
    }
}

struct Search {
    /// When the next request may go out, whoever sends it.
    pace: Mutex<Instant>,
    profiles: Profiles,
    open: Vec<Open>,
    found: mpsc::Sender<Found>,
}

/// What a device said of itself.
type Identity = Vec<(String, String)>;

impl Search {
    async fn host(&self, scope: &Scope, target: Target) {
        if let Some(open) = self.open.iter().find(|open| open.same(&target.lane)) {
            // Whoever asked may be gone.
            let _ = self.found.send(open.taken(&target)).await;
            return;
        }
        let mut asker = Asker::new(target.lane.clone(), scope.spacing, &self.pace);
        let (mut first, mut deaf): (Option<Identity>, Option<bool>) = (None, None);
        for unit in scope.units.iter().copied() {
            if self.found.is_closed() || !asker.reachable() {
                return;
            }
            let Some(identity) = identify(&mut asker, unit).await else {
                continue;
            };
            let alike = target.by_tcp && !identity.is_empty() && first.as_ref() == Some(&identity);
            let same = alike && everybody(&mut asker, &mut deaf, &identity).await;
            let (profile, mut remark) = self.recognise(&mut asker, unit, &identity).await;
            if same {
                remark = format!(
                    "answers as the unit before did: it seems to ignore the unit id, so the search of this host ends here; {remark}"
                );
            }
            let find = Found {
                address: format!("{} unit {unit}", target.lane.name),
                config: scope::configuration(&target, unit, profile.as_deref()),
                identity: identity.clone(),
                profile,
                remark,
            };
            if self.found.send(find).await.is_err() || same {
                return;
            }
            first.get_or_insert(identity);
        }
    }

    /// The profile that fits, and how that was seen.
    async fn recognise(
        &self,
        asker: &mut Asker<'_>,
        unit: u8,
        identity: &Identity,
    ) -> (Option<String>, String) {
        for profile in self.profiles.iter().filter(|p| !p.fingerprint.is_empty()) {
            if let Some(how) = fits(asker, unit, profile, identity).await {
                return (Some(profile.name.clone()), how);
            }
        }
        let remark = if identity.is_empty() {
            "answers, but does not say what it is (function 43/14), and no profile's fingerprint fits"
        } else {
            "says what it is, and no profile fits"
        };
        (None, remark.to_owned())
    }
}

/// Whether a server answers for units that cannot be there. Meters of one model say the same of
/// themselves, so that alone does not tell; asked once for each host.
async fn everybody(asker: &mut Asker<'_>, deaf: &mut Option<bool>, identity: &Identity) -> bool {
    if deaf.is_none() {
        *deaf = Some(identify(asker, NOBODY).await.as_ref() == Some(identity));
    }
    *deaf == Some(true)
}

/// `None`: nobody there. Otherwise what it says of itself, which may be nothing.
async fn identify(asker: &mut Asker<'_>, unit: u8) -> Option<Identity> {
    let mut identity = Identity::new();
    let mut object = 0;
    // Basic identification is three objects; more pages than this are a loop.
    for _ in 0..8 {
        let page = match asker.ask(unit, Request::Identify { code: 1, object }).await {
            Sign::Identity(page) => page,
            Sign::Life => return Some(identity),
            Sign::Doubtful | Sign::Silence | Sign::Data(_) if !identity.is_empty() => {
                return Some(identity);
            }
            Sign::Doubtful | Sign::Silence | Sign::Data(_) => {
                return answers_at_all(asker, unit).await.then_some(identity);
            }
        };
        for (id, text) in page.objects {
            identity.push((crate::codec::identity::object_name(id), text));
        }
        match page.next {
            Some(next) if next > object => object = next,
            _ => break,
        }
    }
    Some(identity)
}

/// Some devices are silent to functions they do not know.
async fn answers_at_all(asker: &mut Asker<'_>, unit: u8) -> bool {
    for table in [Table::Holding, Table::Input] {
        let request = Request::Read {
            table,
            address: 0,
            quantity: 1,
        };
        if matches!(asker.ask(unit, request).await, Sign::Life | Sign::Data(_)) {
            return true;
        }
    }
    false
}

/// How the profile fits, or `None`.
async fn fits(
    asker: &mut Asker<'_>,
    unit: u8,
    profile: &Profile,
    identity: &Identity,
) -> Option<String> {
    let Fingerprint {
        vendor_name,
        product_code,
        model_name,
        registers,
    } = &profile.fingerprint;
    let mut seen = Vec::new();
    for (object, wanted) in [
        ("vendor_name", vendor_name),
        ("product_code", product_code),
        ("model_name", model_name),
    ] {
        let Some(wanted) = wanted else {
            continue;
        };
        let (_, said) = identity.iter().find(|(name, _)| name == object)?;
        if !said.to_lowercase().contains(&wanted.to_lowercase()) {
            return None;
        }
        seen.push(format!("{object} is '{said}'"));
    }
    for register in registers {
        let address = register.protocol_address();
        let quantity = u16::try_from(register.equals.len().max(1)).unwrap_or(1);
        let request = Request::Read {
            table: register.table,
            address,
            quantity,
        };
        let Sign::Data(words) = asker.ask(unit, request).await else {
            return None;
        };
        let first = words.first().copied().unwrap_or(0);
        let within = register.min.is_none_or(|min| first >= min)
            && register.max.is_none_or(|max| first <= max);
        if !within || !words.starts_with(&register.equals) {
            return None;
        }
        seen.push(format!("{} {address} holds {first}", register.table));
    }
    Some(seen.join(", "))
}
