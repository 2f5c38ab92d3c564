//! The wire format under test, as others use it.

#[cfg(test)]
mod bytes;
#[cfg(test)]
mod compat;
#[cfg(test)]
mod generate;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod rollup;
#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod size;
