//! What the face shows of itself: its one lane. Owns the figures and what they mean in words.

use riser_adapter::HealthBoard;
use riser_model::{LaneHealth, LaneState};

/// Figures since start.
#[derive(Debug, Default)]
pub(super) struct Figures {
    /// Messages published.
    pub(super) published: u64,
    /// Messages the broker did not allow.
    pub(super) refused: u64,
    /// Writes begun.
    pub(super) writes: u64,
    /// Messages to a point that were no command for it, retained ones among them.
    pub(super) not_understood: u64,
    /// Scans that came faster than they were looked at; the points were read again.
    pub(super) missed: u64,
    /// Times the connection was made, and lost.
    pub(super) connects: u64,
    pub(super) lost: u64,
}

/// The lane.
pub(super) struct Report {
    board: HealthBoard,
    adapter: String,
    lane: String,
    pub(super) figures: Figures,
    state: LaneState,
    trouble: Option<String>,
    remark: Option<String>,
}

impl Report {
    pub(super) fn new(board: HealthBoard, adapter: &str, lane: String) -> Self {
        let report = Self {
            board,
            adapter: adapter.to_owned(),
            lane,
            figures: Figures::default(),
            state: LaneState::Connecting,
            trouble: None,
            remark: None,
        };
        report.show();
        report
    }

    pub(super) fn up(&mut self) {
        self.figures.connects += 1;
        self.state = LaneState::Up;
        self.trouble = None;
        self.show();
    }

    pub(super) fn down(&mut self, why: String) {
        self.figures.lost += 1;
        self.state = LaneState::Down;
        self.trouble = Some(why);
        self.show();
    }

    /// What does not work although there is a connection; `None` when all does.
    pub(super) fn remark(&mut self, remark: Option<String>) {
        if self.remark != remark {
            self.remark = remark;
            self.show();
        }
    }

    /// The lane as it is now.
    pub(super) fn show(&self) {
        let figures = &self.figures;
        let state = match (self.state, &self.remark) {
            (LaneState::Up, Some(_)) => LaneState::Degraded,
            (state, _) => state,
        };
        self.board.lane(LaneHealth {
            lane: self.lane.clone(),
            adapter: self.adapter.clone(),
            state,
            requests: figures.published,
            timeouts: figures.lost,
            desyncs: figures.not_understood,
            overruns: figures.missed,
            connects: figures.connects,
            last_error: self.trouble.clone().or_else(|| self.remark.clone()),
            ..LaneHealth::default()
        });
    }
}
