//! The link against a real MQTT broker, mosquitto, with a scripted cloud behind it. Where
//! mosquitto is not installed the tests say so and pass, except under CI.

#[cfg(test)]
mod asked;
#[cfg(test)]
mod budget;
#[cfg(test)]
mod cloud;
#[cfg(test)]
mod delivery;
#[cfg(test)]
mod downlink;
#[cfg(test)]
mod endpoint;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod security;
#[cfg(test)]
mod watchdogs;
