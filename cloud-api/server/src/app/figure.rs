//! One operating figure, as `/metrics` prints it. Owns the shape only.

/// What a figure does over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FigureKind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
}

impl std::fmt::Display for FigureKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        })
    }
}

/// One operating figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure {
    /// Name after the Prometheus conventions.
    pub name: &'static str,
    /// What it counts.
    pub help: &'static str,
    /// What it does over time.
    pub kind: FigureKind,
    /// The number.
    pub value: u64,
}

impl Figure {
    /// A figure that only grows.
    #[must_use]
    pub fn counter(name: &'static str, help: &'static str, value: u64) -> Self {
        Self {
            name,
            help,
            kind: FigureKind::Counter,
            value,
        }
    }

    /// A figure that goes up and down.
    #[must_use]
    pub fn gauge(name: &'static str, help: &'static str, value: u64) -> Self {
        Self {
            name,
            help,
            kind: FigureKind::Gauge,
            value,
        }
    }
}
