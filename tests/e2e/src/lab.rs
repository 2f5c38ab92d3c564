//! One building from edge to cloud in a temporary folder: a throw-away PKI, `riser-cloud`, a link
//! that can be spoilt, `riserd`. Owns ports, files and credentials of one test; everything ends
//! with it.
