//! Which request of one device comes next, and when. Owns the order within a device: writes, parts
//! of a refused block, tries after a failure, scans by deadline.

use super::device::{Device, Retry, Scan};
use super::work::{Place, Work};
use crate::codec::Request;
use tokio::time::Instant;

impl Device {
    /// Earliest time at which this device has something to send.
    pub(crate) fn ready_at(&self) -> Option<Instant> {
        if !self.breaker.is_closed() {
            let waiting = self.breaker.state() == riser_model::Breaker::Open;
            return waiting.then(|| self.breaker.wait_until());
        }
        let write = self
            .writes
            .front()
            .filter(|_| !self.writing)
            .map(|w| w.not_before);
        let hold = self.breaker.wait_until();
        let piece = self
            .bisect
            .as_ref()
            .filter(|(_, b)| b.has_next())
            .map(|_| self.piece_at);
        let scan = self.scans.iter().filter_map(|s| s.group.ready_at()).min();
        let retry = self.retry.iter().map(|r| r.not_before).min();
        let barren = self.is_barren().then_some(self.recheck_at);
        let read = [piece, scan, retry, barren]
            .into_iter()
            .flatten()
            .min()
            .map(|at| at.max(hold));
        [write, read].into_iter().flatten().min()
    }

    /// How pressing the device's next request is: class, then time. `None`: nothing to send now.
    pub(crate) fn offer(&self, now: Instant, probe_after: Instant) -> Option<(u8, Instant)> {
        let due = |at: Instant| at <= now;
        if !self.breaker.is_closed() {
            let at = self.breaker.wait_until().max(probe_after);
            return (self.breaker.state() == riser_model::Breaker::Open && due(at))
                .then_some((1, at));
        }
        if let Some(write) = self
            .writes
            .front()
            .filter(|w| !self.writing && due(w.not_before))
        {
            return Some((0, write.not_before));
        }
        if !due(self.breaker.wait_until()) {
            return None;
        }
        let piece = self.bisect.as_ref().is_some_and(|(_, b)| b.has_next()) && due(self.piece_at);
        if piece {
            return Some((2, self.piece_at));
        }
        let scan = self.due_scan(now).and_then(|i| self.scans.get(i));
        let retry = self.due_retry(now).and_then(|r| self.scans.get(r.scan));
        let deadline = [scan, retry]
            .into_iter()
            .flatten()
            .map(|s| s.group.deadline())
            .min();
        deadline.map(|at| (3, at))
    }

    fn due_scan(&self, now: Instant) -> Option<usize> {
        let ready = |s: &Scan| s.group.ready_at().is_some_and(|at| at <= now);
        (0..self.scans.len())
            .filter(|i| self.scans.get(*i).is_some_and(ready))
            .min_by_key(|i| self.scans.get(*i).map(|s| s.group.deadline()))
    }

    fn due_retry(&self, now: Instant) -> Option<&Retry> {
        self.retry.front().filter(|r| r.not_before <= now)
    }

    /// The request that was offered. `None` when a parked one was all there was.
    pub(crate) fn take(&mut self, now: Instant, overruns: &mut u64) -> Option<(Work, Request)> {
        if !self.breaker.is_closed() {
            let request = self.probe_request(self.suspect)?;
            self.breaker.probe();
            return Some((Work::Probe, request));
        }
        if self.suspect {
            return self
                .probe_request(true)
                .map(|request| (Work::Probe, request));
        }
        if self
            .writes
            .front()
            .is_some_and(|w| !self.writing && w.not_before <= now)
        {
            let front = self.writes.front()?;
            let request = front.request(self.points.get(front.point)?);
            let write = self.writes.pop_front()?;
            self.writing = true;
            return Some((Work::Write(write), request));
        }
        if self.piece_at <= now
            && let Some((node, block)) = self.bisect.as_mut().and_then(|(_, b)| b.next())
        {
            let request = block.request();
            return Some((Work::Piece { node, block }, request));
        }
        if self.due_retry(now).is_some() {
            let Retry {
                scan,
                turn,
                attempt,
                ..
            } = self.retry.pop_front()?;
            let request = turn.block.request();
            return Some((
                Work::Scan {
                    scan,
                    turn,
                    attempt,
                },
                request,
            ));
        }
        let scan = self.due_scan(now)?;
        let turn = self.scans.get_mut(scan)?.group.next(now, overruns)?;
        let request = turn.block.request();
        Some((
            Work::Scan {
                scan,
                turn,
                attempt: 0,
            },
            request,
        ))
    }

    /// A question that costs little. On a serial line its answer has a length no answer that may
    /// still be on its way has, so the two cannot be taken for each other.
    pub(crate) fn probe_request(&self, distinct: bool) -> Option<Request> {
        let first = self.points.get(0)?;
        let place = self.known.unwrap_or(Place {
            table: first.table,
            address: first.address,
            quantity: first.mapping.registers,
        });
        let function = place.table.read_function();
        let (mut quantity, step) = match (distinct, place.table.is_bits()) {
            (false, _) => (place.quantity, 1),
            (true, true) => (1, 8),
            (true, false) => (1, 1),
        };
        let octets = |quantity| 2 + crate::codec::pdu::data_octets(place.table, quantity);
        while distinct
            && quantity < 100
            && self
                .shapes
                .iter()
                .any(|(f, o, _)| *f == function && *o == octets(quantity))
        {
            quantity += step;
        }
        // At the end of the table the wider question begins earlier.
        let address = place.address.min(u16::MAX - quantity + 1);
        Some(Request::Read {
            table: place.table,
            address,
            quantity,
        })
    }
}
