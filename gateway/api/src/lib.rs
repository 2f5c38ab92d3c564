//! Local HTTP: routes, authentication, live stream and the embedded technician UI.
