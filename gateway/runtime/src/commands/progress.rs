//! What becomes of a command once its adapter is there. Owns the changes of the priority arrays
//! and the list of points whose device is not known to hold the winning value.

use super::commander::{Commander, Unsettled};
use super::dispatcher::Job;
use super::keeper::REPEAT_FIRST_MS;
use super::levels::{Ended, Plan, Step, Verdict};
use super::words::{level, who};
use crate::stats::{add, count};
use riser_adapter::WriteResult;
use riser_model::{AuthorKind, Command, CommandState, Slot};
use riser_rules::Tick;

impl Commander {
    /// Whether a waiting command can only be answered by the device.
    pub(crate) fn needs_device(&self, job: &Job) -> bool {
        job.repeat || self.books().levels.needs_device(job.slot, &job.command)
    }

    /// Begins a command, at the moment the adapter would be called. `None` when it ended here.
    pub(crate) fn begin(&self, job: &Job) -> Option<Step> {
        if self.is_over(job) {
            self.expire(job);
            return None;
        }
        let plan = {
            let mut books = self.books();
            let mut plan = if job.repeat {
                books.levels.plan_repeat(job.slot, &job.command)
            } else {
                let now = self.time_of(&mut books);
                let command = self.as_meant(&books, job);
                let plan = books.levels.plan(job.slot, &command, now);
                // What a person wants counts once the device has answered: a crash before that
                // must leave the array as it was, as the command is then told to have failed.
                let wish = job.command.author.kind == AuthorKind::Rule;
                if wish || matches!(plan, Plan::Done(_)) {
                    books.unrecorded.insert(job.command.path.device.clone());
                }
                plan
            };
            if let Plan::Write(step) = &mut plan {
                let owed = books.unsettled.get(&job.slot).filter(|_| job.repeat);
                let asked = job.command.value.is_none().then_some(job.command.priority);
                let given_back = owed.map(|u| u.level).or(asked);
                step.place(books.levels.array(job.slot), given_back);
            }
            plan
        };
        self.arrays_changed.notify_one();
        match plan {
            Plan::Done(verdict) => {
                self.finish(job, verdict);
                None
            }
            Plan::Write(step) => {
                count(&self.tools.counters.commands_sent);
                let sent = Verdict::new(CommandState::Sent, String::new());
                self.tell(&job.command, &job.why, sent);
                Some(step)
            }
        }
    }

    /// Ends a command with the device's answer.
    pub(crate) fn conclude(&self, job: &Job, step: Step, result: WriteResult) {
        let verdict = {
            let mut books = self.books();
            books.unrecorded.insert(job.command.path.device.clone());
            books.levels.conclude(job.slot, &job.command, step, result)
        };
        self.finish(job, verdict);
        self.arrays_changed.notify_one();
    }

    /// Ends a command that waited too long for its adapter.
    pub(crate) fn expire(&self, job: &Job) {
        if !job.repeat {
            self.keep_wish(&job.command);
        }
        self.expired(&job.command, &job.why);
    }

    fn finish(&self, job: &Job, mut verdict: Verdict) {
        let failed = verdict.state == CommandState::Failed;
        // Said no to what wins: saying it again changes nothing.
        if job.repeat && verdict.state == CommandState::Refused {
            verdict.settled = Some(true);
        }
        if failed {
            count(&self.tools.counters.commands_failed);
        }
        match verdict.settled {
            Some(true) => drop(self.books().unsettled.remove(&job.slot)),
            Some(false) => self.unsettle(job.slot, &job.command),
            None => {}
        }
        self.tell(&job.command, &job.why, verdict);
    }

    /// Keeps what a rule wants though its command could not be begun.
    pub(crate) fn keep_wish(&self, command: &Command) {
        if command.author.kind != AuthorKind::Rule {
            return;
        }
        let slot = self.tools.field.directory().slot(&command.path);
        let Some(slot) = slot else { return };
        let changed = {
            let mut books = self.books();
            let now = self.time_of(&mut books);
            books.unrecorded.insert(command.path.device.clone());
            books.levels.wish(slot, command, now)
        };
        if changed {
            self.unsettle(slot, command);
        }
        self.arrays_changed.notify_one();
    }

    /// Notes that the device of a point is not known to hold the winning value.
    pub(super) fn unsettle(&self, slot: Slot, command: &Command) {
        let now = self.tools.field.tick();
        let mut books = self.books();
        books.unrecorded.insert(command.path.device.clone());
        books.unsettled.entry(slot).or_insert_with(|| Unsettled {
            due: Tick(now.0 + REPEAT_FIRST_MS),
            wait_ms: REPEAT_FIRST_MS * 2,
            level: command.priority,
            author: command.author.clone(),
            why: "the last write was not known to have worked".to_owned(),
        });
    }

    /// Notes that levels were given back because their time, or their rule, was over.
    pub(crate) fn ended(&self, ended: Vec<Ended>, why: &str) {
        if ended.is_empty() {
            return;
        }
        let due = self.tools.field.tick();
        for end in ended {
            add(&self.tools.counters.holds_ended, end.levels as u64);
            let device = {
                let directory = self.tools.field.directory();
                let entry = directory.entry(end.slot);
                entry.map(|e| e.point.path.device.clone())
            };
            let mut books = self.books();
            books.unrecorded.extend(device);
            if end.winner_changed {
                let unsettled = Unsettled {
                    due,
                    wait_ms: REPEAT_FIRST_MS,
                    why: format!("{} of {} ended: {why}", level(end.level), who(&end.author)),
                    level: end.level,
                    author: end.author,
                };
                books.unsettled.insert(end.slot, unsettled);
            }
        }
        self.arrays_changed.notify_one();
    }
}
