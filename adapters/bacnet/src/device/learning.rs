//! What a device is known to be like: notes kept over restarts, and the points it is found to hold.
//! Owns what becomes a point and under which key: `ai-1` is analog input 1, whatever its name.

use super::{Cancelled, Device, LivePoint};
use crate::codec::service::property::Reference;
use crate::codec::{ObjectType, PropertyId};
use crate::config::{PointConfig, kind_of, labels};
use crate::poll::Peer;
use crate::poll::learn::Learned;
use riser_adapter::AdapterCommand;
use riser_model::{Access, Key, Limits, Point, PointPath};
use std::collections::HashSet;
use std::sync::Arc;
use tokio::sync::mpsc;

impl Device {
    fn note(&self) -> String {
        format!("device/{}", self.config.key)
    }

    /// What was learned before the last restart.
    pub(super) async fn remember(&mut self) {
        let note = self.shared.memory.get(&self.note()).await;
        let habits = note.and_then(|text| serde_json::from_str(&text).ok());
        self.habits = habits.unwrap_or_default();
    }

    /// Keeps what was learned, if it is more than before.
    pub(super) async fn keep_habits(&mut self) {
        let Some(habits) = self.peer.as_ref().map(Peer::habits) else {
            return;
        };
        if habits == self.habits {
            return;
        }
        if let Ok(text) = serde_json::to_string(&habits) {
            self.shared.memory.put(&self.note(), Some(text)).await;
        }
        self.habits = habits;
    }

    /// Takes every object of the device that has a value as a point, once. A device that falls silent
    /// meanwhile is lost.
    pub(super) async fn learn(
        &mut self,
        peer: &Peer,
        writes: &mut mpsc::Receiver<AdapterCommand>,
    ) -> Result<(), Cancelled> {
        if !self.config.learn || self.learned {
            return Ok(());
        }
        let (asked, why) = (peer.clone(), "is being learned; try again in a moment");
        let learned = self
            .beside(async move { asked.learn().await }, writes, why)
            .await?;
        self.keep_habits().await;
        let learned = match learned {
            Ok(learned) => learned,
            Err(error) if error.is_silence() => {
                self.lost(format!("while its objects were listed: {error}"))
                    .await;
                return Ok(());
            }
            Err(error) => {
                let text = format!("its objects cannot be listed: {error}; name points instead");
                self.report.trouble(text);
                self.learned = true;
                return Ok(());
            }
        };
        let points = self.points_of(&learned);
        let descriptions = points.iter().map(|p| p.point.clone()).collect();
        let registry = self.shared.registry.clone();
        let declared = registry.declare(&self.shared.adapter, descriptions).await;
        match declared {
            Ok(slots) => {
                for (point, slot) in points.into_iter().zip(slots) {
                    self.shared.routes.add(slot, &self.config.key);
                    let terms = (point.interval, point.cov);
                    self.points
                        .add(LivePoint::new(point.point, slot, point.reference, terms));
                }
            }
            Err(error) => self
                .report
                .trouble(format!("its points cannot be taken: {error}")),
        }
        self.learned = true;
        Ok(())
    }

    fn points_of(&self, learned: &[Learned]) -> Vec<PointConfig> {
        let named: HashSet<Reference> = self.config.points.iter().map(|p| p.reference).collect();
        let mut keys: HashSet<Key> = self
            .config
            .points
            .iter()
            .map(|p| p.point.path.point.clone())
            .collect();
        let mut points = Vec::new();
        for one in learned {
            let Some(point) = point_of(one, &self.config) else {
                continue;
            };
            let key = point.point.path.point.clone();
            if !named.contains(&point.reference) && keys.insert(key) {
                points.push(point);
            }
        }
        points
    }
}

/// The point a learned object would become; `None` for an object without a value.
pub(crate) fn point_of(
    learned: &Learned,
    device: &crate::config::DeviceConfig,
) -> Option<PointConfig> {
    let kind = kind_of(learned.object.kind()).or(learned.kind)?;
    let commanded = matches!(
        learned.object.kind(),
        ObjectType::ANALOG_OUTPUT
            | ObjectType::ANALOG_VALUE
            | ObjectType::BINARY_OUTPUT
            | ObjectType::BINARY_VALUE
            | ObjectType::MULTI_STATE_OUTPUT
            | ObjectType::MULTI_STATE_VALUE
            | ObjectType::INTEGER_VALUE
            | ObjectType::POSITIVE_INTEGER_VALUE
            | ObjectType::LARGE_ANALOG_VALUE
            | ObjectType::CHARACTERSTRING_VALUE
    );
    let key = Key::slug(&learned.object.key());
    let point = Point {
        path: PointPath::new(device.key.clone(), key),
        name: learned.name.clone(),
        device_name: device.name.clone(),
        kind,
        unit: learned.unit,
        access: match commanded && device.writable {
            true => Access::ReadWrite,
            false => Access::Read,
        },
        limits: Limits::default(),
        labels: labels(kind, &learned.states),
        deadband: None,
        stale_after_ms: device.stale_after_ms(device.cov),
    };
    Some(PointConfig {
        point: Arc::new(point),
        reference: Reference::new(learned.object, PropertyId::PRESENT_VALUE),
        cov: device.cov,
        interval: device.interval,
    })
}
