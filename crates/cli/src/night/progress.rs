//! Progress of a night: which stack, how far, and how long all of it will take.

use std::sync::Mutex;

use photosite::env::Stopwatch;
use photosite::event::{Event, Observer, Stage};

use crate::show::ProgressLine;

/// What a unit of a stage takes, compared with the others, before any of it is done.
const USUAL: [(Stage, f64); 5] = [
    (Stage::Identify, 0.3),
    (Stage::Masters, 1.0),
    (Stage::Survey, 3.0),
    (Stage::Stacking, 2.0),
    (Stage::Lights, 1.0),
];

/// A stage that was announced.
#[derive(Debug, Clone, Copy)]
struct Ahead {
    stage: Stage,
    units: u64,
    done: u64,
    spent_s: f64,
}

#[derive(Default)]
struct State {
    line: ProgressLine,
    ahead: Vec<Ahead>,
    picture: String,
    stage: Option<(Stage, Stopwatch)>,
}

/// Progress for a person, with the time that is left in all.
#[derive(Default)]
pub struct NightProgress(Mutex<State>);

/// Seconds until all that was announced is done; `None` before anything is.
fn left_s(ahead: &[Ahead]) -> Option<f64> {
    let usual = |stage: Stage| USUAL.iter().find(|(s, _)| *s == stage).map_or(1.0, |(_, u)| *u);
    let spent: f64 = ahead.iter().map(|a| a.spent_s).sum();
    let worth: f64 = ahead.iter().map(|a| a.done as f64 * usual(a.stage)).sum();
    let pace = (worth > 0.0 && spent > 0.0).then(|| spent / worth)?;
    let left = ahead.iter().map(|a| {
        // A stage that is under way tells its own pace.
        let unit_s = if a.done > 0 { a.spent_s / a.done as f64 } else { pace * usual(a.stage) };
        a.units.saturating_sub(a.done) as f64 * unit_s
    });
    Some(left.sum())
}

fn shown_time(seconds: f64) -> String {
    let s = seconds.round().max(0.0) as u64;
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{} min", s.div_ceil(60)),
        _ => format!("{} h {} min", s / 3600, s % 3600 / 60),
    }
}

impl State {
    /// Counts units and the time they took.
    fn advance(&mut self, by: u64) {
        let Some((stage, since)) = &mut self.stage else { return };
        if let Some(ahead) = self.ahead.iter_mut().find(|a| a.stage == *stage) {
            ahead.done = (ahead.done + by).min(ahead.units.max(by));
            ahead.spent_s += since.seconds();
        }
        *since = Stopwatch::start();
        let left = left_s(&self.ahead).map(|left| format!("{} left in all", shown_time(left)));
        self.line.advance(by, left);
    }

    fn stage_line(&self, stage: Stage) -> String {
        match stage {
            Stage::Stacking if !self.picture.is_empty() => format!("{} stacking", self.picture),
            _ => stage.name().to_owned(),
        }
    }
}

impl Observer for NightProgress {
    fn event(&self, event: Event<'_>) {
        let mut state = self.0.lock().expect("no holder panics");
        match event {
            Event::Ahead(stages) => {
                let ahead = |(stage, units): &(Stage, u64)| Ahead {
                    stage: *stage,
                    units: *units,
                    done: 0,
                    spent_s: 0.0,
                };
                state.ahead = stages.iter().map(ahead).collect();
            }
            Event::Picture { name, number, of } => {
                state.picture = format!("{name} ({number} of {of})");
            }
            Event::Started { stage, total } => {
                state.stage = Some((stage, Stopwatch::start()));
                if let Some(ahead) = state.ahead.iter_mut().find(|a| a.stage == stage) {
                    ahead.units = ahead.units.max(total);
                }
                let line = state.stage_line(stage);
                state.line.begin(&line, total, "{msg} {pos}/{len}  {prefix}");
            }
            Event::Advanced { by, .. } => state.advance(by),
            Event::Finished => {
                state.stage = None;
                state.line.end();
            }
            // Findings are told at the end, together.
            Event::Found(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_that_of_all_stages() {
        let of = |stage, units, done, spent_s| Ahead { stage, units, done, spent_s };
        assert_eq!(left_s(&[of(Stage::Masters, 10, 0, 0.0)]), None);
        // Ten frames took 5 s; surveying is three times as much a light.
        let ahead = [of(Stage::Masters, 20, 10, 5.0), of(Stage::Survey, 8, 0, 0.0)];
        assert_eq!(left_s(&ahead), Some(5.0 + 8.0 * 1.5));
        assert_eq!(shown_time(61.0), "2 min");
        assert_eq!(shown_time(3700.0), "1 h 1 min");
    }
}
