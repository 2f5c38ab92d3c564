//! Learning from refusals: a block that was refused is taken apart once, and what was found is kept.

use super::Lane;
use crate::codec::Exception;
use crate::poll::{Bisect, Block, Turn};
use riser_model::Reason;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

impl Lane {
    /// A block was refused: find out which part of it, once.
    pub(super) async fn refused(
        &mut self,
        (index, scan): (usize, usize),
        turn: &Turn,
        exception: Exception,
        now: Instant,
    ) {
        let Some(device) = self.devices.get_mut(index) else {
            return;
        };
        let current = device
            .scans
            .get(scan)
            .is_some_and(|s| s.group.is_current(turn));
        if device.bisect.is_some() || !current {
            return;
        }
        tracing::info!(
            device = %device.key, lane = %self.config.name, table = %turn.block.table,
            address = turn.block.address, quantity = turn.block.quantity,
            "{exception}: looking for the part that is refused"
        );
        let mut bisect = Bisect::new(&turn.block);
        if exception.0 == 1 {
            // The whole function is missing; no part of the block can be better.
            while let Some((node, _)) = bisect.next() {
                bisect.answer(node, false);
            }
        }
        device.bisect = Some((scan, bisect));
        self.learn(index, now).await;
    }

    pub(super) async fn piece_answered(
        &mut self,
        index: usize,
        node: usize,
        accepted: bool,
        now: Instant,
    ) {
        if let Some(device) = self.devices.get_mut(index) {
            device.piece_failures = 0;
            // Questions take half of the lane at most.
            device.piece_at =
                now + Duration::from_secs_f64(device.report.latency_ms.unwrap_or(0.0) / 1000.0);
            if let Some((_, bisect)) = &mut device.bisect {
                bisect.answer(node, accepted);
            }
        }
        self.learn(index, now).await;
    }

    /// Takes over what a bisection found, once it is complete.
    pub(super) async fn learn(&mut self, index: usize, now: Instant) {
        let Some(device) = self.devices.get_mut(index) else {
            return;
        };
        let Some((scan, bisect)) = &device.bisect else {
            return;
        };
        let (Some(lessons), scan) = (bisect.lessons(), *scan) else {
            return;
        };
        let asked = bisect.asked();
        device.bisect = None;
        let Some(table) = device.scans.get(scan).map(|s| s.table) else {
            return;
        };
        let holes = lessons.holes.iter().filter_map(|p| device.points.get(*p));
        let holes: Vec<_> = holes
            .map(|c| format!("{} at {}", c.key(), c.address))
            .collect();
        tracing::warn!(
            device = %device.key, lane = %self.config.name, %table, asked,
            holes = %holes.join(", "), cuts = ?lessons.cuts, span = ?lessons.span,
            "learned what this device refuses; it will not be asked again"
        );
        if !holes.is_empty() {
            device.report.last_error =
                Some(format!("the device does not have {}", holes.join(", ")));
        }
        device.report.urgent = true;
        let missing = device.learn(table, lessons, now);
        let readings = device
            .points
            .mark(missing.into_iter(), Reason::NotConfigured);
        self.emit(readings).await;
    }

    pub(super) async fn mark(&mut self, index: usize, block: &Arc<Block>, reason: Reason) {
        if let Some(device) = self.devices.get_mut(index) {
            device.report.urgent |= device.report.errors == 1;
            let points = block.items.iter().map(|i| i.point);
            let readings = device.points.mark(points, reason);
            self.emit(readings).await;
        }
    }
}
