//! A broker that is not ours stands between: mosquitto with mutual TLS and access lists. The same
//! gateway, the same cloud, the same promise.
