//! Intake, supervisor, commands and health: owns tasks and channels, knows only dyn Adapter.
