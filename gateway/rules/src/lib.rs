//! Pure rule evaluation: (state, batch, now) -> effects.
