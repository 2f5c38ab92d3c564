//! The MQTT face with real TLS and real clients: who gets in, what is stored before it is
//! acknowledged, what goes down, and what happens when things break.

#[cfg(test)]
mod broker;
#[cfg(test)]
mod commit;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod down;
#[cfg(test)]
mod foreign;
#[cfg(test)]
mod frames;
#[cfg(test)]
mod gateway;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod lab;
#[cfg(test)]
mod manners;
#[cfg(test)]
mod raw;
#[cfg(test)]
mod rolled;
#[cfg(test)]
mod rush;
