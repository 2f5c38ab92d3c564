//! The engine from outside: single behaviours, storms, and every sequence of events to depth 7.

mod engine;
mod exhaustive;
mod support;
