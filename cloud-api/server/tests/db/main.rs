//! The database through its handle, as everything above it uses it.

#[cfg(test)]
mod audit;
#[cfg(test)]
mod store;
