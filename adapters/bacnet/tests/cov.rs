//! Subscriptions over hours, on a clock that is advanced: notifications that are lost, a renewal that
//! is refused, a power cut, with the times every installation has.

use riser_adapter_testkit::Running;
use riser_model::{Quality, Reason, Value};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::UdpSocket;

/// One device in the runtime of the test, so that its answers and the clock do not race.
struct Plant {
    devices: Arc<crate::rig::Devices>,
    socket: Arc<UdpSocket>,
    off: Arc<AtomicBool>,
    at: SocketAddr,
}

impl Plant {
    async fn start() -> Self {
        let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await.expect("a socket"));
        let plant = Self {
            at: socket.local_addr().expect("a socket"),
            devices: Arc::new(crate::rig::Devices::without_port()),
            off: Arc::default(),
            socket,
        };
        let (devices, socket, off) = (
            plant.devices.clone(),
            plant.socket.clone(),
            plant.off.clone(),
        );
        tokio::spawn(async move {
            let mut buffer = [0; 2048];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let answer = devices.respond(1, &buffer[..length], from);
                if let Some(answer) = answer.filter(|_| !off.load(Ordering::Relaxed)) {
                    let _gone = socket.send_to(&answer, from).await;
                }
            }
        });
        plant
    }

    /// Changes the value and tells of it.
    async fn tell(&self, value: f32) {
        let (to, notification) = self.devices.change(1, 1, value).expect("a subscriber");
        self.socket
            .send_to(&notification, to)
            .await
            .expect("a socket");
    }

    /// Changes the value, and the notification is lost.
    fn lose(&self, value: f32) {
        let _lost = self.devices.change(1, 1, value);
    }

    fn power(&self, on: bool) {
        self.off.store(!on, Ordering::Relaxed);
    }
}

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

/// Something that goes on for a while, and the value that is seen after it.
async fn after(running: &mut Running, time: Duration) -> Option<Value> {
    running.pump_for(time).await;
    running.value("d/p").cloned()
}

fn is(value: f64) -> Option<Value> {
    Some(Value::Float(value))
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn subscriptions_survive_lost_notifications_a_refused_renewal_and_a_power_cut() {
    let plant = Plant::start().await;
    // The defaults: renewed every five minutes, read every five minutes nevertheless.
    let config = format!(
        "[[lane]]\nkey = \"lane\"\naddress = \"127.0.0.1\"\nport = 0\nbroadcast = [\"127.255.255.255\"]\n\
         [[device]]\nkey = \"d\"\nlane = \"lane\"\naddress = \"{}\"\ninstance = 1\ncov = true\ninterval_ms = 60000\n\
         [[device.point]]\nkey = \"p\"\nobject = \"ai:1\"\n",
        plant.at
    );
    let mut running = Running::start(&riser_bacnet::KIND, &config);
    running.pump_for(Duration::from_secs(5)).await;
    assert_eq!(running.value("d/p").cloned(), is(21.5));
    plant.tell(22.0).await;
    assert_eq!(after(&mut running, SECOND).await, is(22.0));
    lost(&plant, &mut running).await;
    refused(&plant, &mut running).await;
    power_cut(&plant, &mut running).await;
    running.stop().await;
}

/// Five minutes in which every notification is lost: the value is read within them.
async fn lost(plant: &Plant, running: &mut Running) {
    plant.lose(23.0);
    let before = after(running, minutes(4)).await;
    assert_eq!(before, is(22.0), "nobody told, nobody read");
    assert_eq!(after(running, minutes(1) + 10 * SECOND).await, is(23.0));
    plant.tell(24.0).await;
    assert_eq!(after(running, SECOND).await, is(24.0), "still subscribed");
}

/// The renewal is refused: from then on the value is read at its interval, and asked for again.
async fn refused(plant: &Plant, running: &mut Running) {
    plant.devices.refuse(true);
    plant.devices.forget();
    running.pump_for(minutes(6)).await;
    plant.lose(25.0);
    assert_eq!(after(running, minutes(1) + 5 * SECOND).await, is(25.0));
    let words = running.health.devices()[0].last_error.clone();
    assert!(words.is_some_and(|w| w.contains("are not told")));
    plant.devices.refuse(false);
    running.pump_for(minutes(11)).await;
    plant.tell(26.0).await;
    assert_eq!(after(running, SECOND).await, is(26.0));
    assert!(running.latest["d/p"].quality.is_good());
}

/// A power cut: bad with its last value in between, then read and told of again.
async fn power_cut(plant: &Plant, running: &mut Running) {
    plant.power(false);
    plant.devices.forget();
    plant.lose(27.0);
    let last = after(running, minutes(6)).await;
    assert_eq!(last, is(26.0), "the last that is known");
    let down = Quality::bad(Reason::DeviceDown);
    assert_eq!(running.latest["d/p"].quality, down);
    plant.power(true);
    assert_eq!(after(running, minutes(1)).await, is(27.0));
    assert!(running.latest["d/p"].quality.is_good());
    plant.tell(28.0).await;
    assert_eq!(after(running, SECOND).await, is(28.0));
}
