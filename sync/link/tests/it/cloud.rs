//! A scripted cloud: an ordinary MQTT client of the broker that remembers what it got and answers
//! as it is told to.

use riser_model::{GatewayId, Key, TenantId};
use riser_wire::part::{self, Joiner};
use riser_wire::topic::{self, Direction, UpTopic};
use riser_wire::{
    BatchHeader, Down, Durable, Epoch, Hello, RollupHeader, Stream, Up, peek, peek_rollup,
};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnectProperties, Packet};
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::task::JoinHandle;

/// How the cloud behaves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    /// Says what is durable.
    pub(crate) acks: bool,
    /// Answers heartbeats.
    pub(crate) beats: bool,
    /// Rejects the data batch of this number.
    pub(crate) rejects: Option<u64>,
    /// Knows rollups and says what it has of them.
    pub(crate) rolls: bool,
}

/// What the cloud got.
#[derive(Default)]
pub(crate) struct Seen {
    /// Kinds of messages in order, such as `hello`, `event 1`, `data 7`.
    pub(crate) log: Vec<String>,
    pub(crate) hellos: Vec<Hello>,
    pub(crate) data: Vec<BatchHeader>,
    pub(crate) rollups: Vec<RollupHeader>,
    pub(crate) watched: usize,
    pub(crate) beats: usize,
    /// Messages that were parts of frames.
    pub(crate) parts: usize,
    joiner: Joiner,
    stored: HashMap<(Epoch, Stream), BTreeSet<u64>>,
}

struct Desk {
    manner: Mutex<Manner>,
    seen: Mutex<Seen>,
    client: AsyncClient,
}

/// A running cloud.
pub(crate) struct Cloud {
    desk: Arc<Desk>,
    task: JoinHandle<()>,
}

impl Drop for Cloud {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Cloud {
    pub(crate) async fn start(port: u16) -> Self {
        let mut options = MqttOptions::new("cloud", "127.0.0.1", port);
        let mut properties = ConnectProperties::new();
        properties.max_packet_size = Some(8 << 20);
        options.set_connect_properties(properties);
        let (client, mut event_loop) = AsyncClient::new(options, 4_096);
        client
            .subscribe(topic::ALL_UP, QoS::AtLeastOnce)
            .await
            .unwrap();
        let manner = Manner {
            acks: true,
            beats: true,
            rejects: None,
            rolls: false,
        };
        let desk = Arc::new(Desk {
            manner: Mutex::new(manner),
            seen: Mutex::default(),
            client,
        });
        while !matches!(
            event_loop.poll().await.unwrap(),
            Event::Incoming(Packet::SubAck(_))
        ) {}
        let own = Arc::clone(&desk);
        let task = tokio::spawn(async move {
            while let Ok(event) = event_loop.poll().await {
                if let Event::Incoming(Packet::Publish(publish)) = event {
                    own.take(
                        std::str::from_utf8(&publish.topic).unwrap(),
                        &publish.payload,
                    );
                }
            }
        });
        Self { desk, task }
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.desk.seen.lock().unwrap()
    }

    /// Changes the manner; a cloud that begins to acknowledge says at once what it has.
    pub(crate) fn be(&self, change: impl FnOnce(&mut Manner)) {
        change(&mut self.desk.manner.lock().unwrap());
        let streams: Vec<_> = self.seen().stored.keys().copied().collect();
        if self.desk.manner().acks {
            for (epoch, stream) in streams {
                self.desk.ack(epoch, stream);
            }
        }
    }

    pub(crate) fn send(&self, down: Down) {
        self.desk.send(down);
    }

    /// Publishes anything anywhere.
    pub(crate) fn publish(&self, topic: &str, payload: Vec<u8>) {
        self.desk
            .client
            .try_publish(topic, QoS::AtLeastOnce, false, payload)
            .unwrap();
    }

    /// Position in the log.
    pub(crate) fn when(&self, entry: &str) -> Option<usize> {
        self.seen().log.iter().position(|e| e == entry)
    }
}

fn ids() -> (TenantId, GatewayId) {
    (Key::new("acme").unwrap(), Key::new("gw-001").unwrap())
}

impl Desk {
    fn manner(&self) -> Manner {
        *self.manner.lock().unwrap()
    }

    fn send(&self, down: Down) {
        let (tenant, gateway) = ids();
        let topic = topic::down(&tenant, &gateway, down.topic());
        self.client
            .try_publish(topic, QoS::AtLeastOnce, false, down.encode())
            .unwrap();
    }

    fn take(&self, topic: &str, payload: &[u8]) {
        let address = topic::parse(topic).unwrap();
        assert_eq!((address.tenant, address.gateway), ids());
        let Direction::Up(topic) = address.direction else {
            panic!("{topic}")
        };
        let mut seen = self.seen.lock().unwrap();
        let mut whole = payload.to_vec();
        if part::is_part(payload) {
            seen.parts += 1;
            // A last part whose others were too long for the broker leads to nothing.
            match seen.joiner.join(payload) {
                Ok(Some(frame)) => whole = frame,
                _ => return,
            }
        }
        let up = Up::decode(topic, &whole).unwrap();
        match up {
            Up::Hello(hello) => {
                seen.log.push("hello".into());
                if self.manner().rolls && hello.rollups {
                    self.send(Down::RolledUp(Vec::new()));
                }
                seen.hellos.push(hello);
            }
            Up::Watch(scans) => {
                seen.log.push("watch".into());
                seen.watched += scans.iter().map(|s| s.readings.len()).sum::<usize>();
            }
            Up::Heartbeat(beat) => {
                seen.beats += 1;
                if self.manner().beats {
                    self.send(Down::Heartbeat { nonce: beat.nonce });
                }
            }
            Up::Rollup(frame) => {
                let header = peek_rollup(&frame).unwrap();
                let (from, minutes) = (u64::from(header.minute), u64::from(header.minutes));
                seen.log.push(format!("rollup {}", header.minute));
                seen.rollups.push(header);
                if header.piece + 1 == header.pieces {
                    self.send(Down::RolledUp(vec![(from, from + minutes - 1)]));
                }
            }
            Up::Batch(frame) => {
                drop(seen);
                self.store(topic, &frame);
            }
        }
    }

    fn store(&self, topic: UpTopic, frame: &[u8]) {
        let header = peek(frame).unwrap();
        let (epoch, stream, seq) = (header.epoch, header.stream, header.seq);
        let mut seen = self.seen.lock().unwrap();
        seen.log.push(format!("{} {seq}", topic.level()));
        if stream == Stream::Data {
            seen.data.push(header);
        }
        if self.manner().rejects == Some(seq) && stream == Stream::Data {
            self.send(Down::Rejected {
                epoch,
                stream,
                seq,
                reason: "it smells".into(),
            });
            return;
        }
        seen.stored.entry((epoch, stream)).or_default().insert(seq);
        drop(seen);
        if self.manner().acks {
            self.ack(epoch, stream);
        }
    }

    fn ack(&self, epoch: Epoch, stream: Stream) {
        let seen = self.seen.lock().unwrap();
        let Some(stored) = seen.stored.get(&(epoch, stream)) else {
            return;
        };
        let mut contiguous = 0;
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for seq in stored.iter().copied() {
            match ranges.last_mut() {
                None if seq == contiguous + 1 => contiguous = seq,
                Some((_, last)) if *last + 1 == seq => *last = seq,
                _ => ranges.push((seq, seq)),
            }
        }
        // The highest ranges are the newest; the rest follows as the gaps close.
        let from = ranges.len().saturating_sub(256);
        let ranges = ranges.split_off(from);
        self.send(Down::Durable(Durable {
            epoch,
            stream,
            contiguous,
            ranges,
        }));
    }
}
