//! The local HTTP face against a real store and a real runtime with a scripted adapter.

#[cfg(test)]
mod bench;
#[cfg(test)]
mod claim;
#[cfg(test)]
mod commissioning;
#[cfg(test)]
mod doors;
#[cfg(test)]
mod live;
#[cfg(test)]
mod login;
#[cfg(test)]
mod points;
#[cfg(test)]
mod serving;
