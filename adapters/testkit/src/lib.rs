//! The contract suite every adapter runs, a scripted peer and the case runner.
