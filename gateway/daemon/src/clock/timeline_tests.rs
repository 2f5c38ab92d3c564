//! Every way a clock has been seen to behave, played through.

use super::*;

const BUILT: i64 = 1_790_000_000_000;
const TRUE: i64 = BUILT + 30 * 86_400_000;
const HOUR: i64 = 3_600_000;

fn known() -> Known {
    Known {
        built: BUILT,
        past: 0,
        last: 0,
        unseen: 0,
        continued: None,
        believe: true,
    }
}

fn at(mono: i64, wall: i64, synchronised: bool) -> Reading {
    Reading {
        mono,
        wall,
        synchronised,
    }
}

#[test]
fn a_box_in_1970_for_an_hour_is_corrected_to_the_millisecond() {
    let known = Known {
        last: TRUE - 86_400_000,
        unseen: 300_000,
        ..known()
    };
    let mut line = Timeline::new(known, at(5_000, 5_000, false));
    assert_eq!(line.state(), ClockState::Unsynchronised);
    let mut stamps = Vec::new();
    // Truth runs from TRUE; the box counts from its power-on.
    for mono in (5_000..HOUR).step_by(1_000) {
        assert_eq!(line.look(at(mono, mono, false)), None);
        let stamp = line.now(mono);
        assert!(stamp.0 >= TRUE - 86_400_000, "never before what is known");
        stamps.push((TRUE + mono, stamp));
    }
    let step = line.look(at(HOUR, TRUE + HOUR, true)).expect("set");
    assert_eq!(step.state, ClockState::Synchronised);
    assert_eq!(line.state(), ClockState::Synchronised);
    for (truth, stamp) in &stamps {
        assert_eq!(step.corrected(*stamp).0, *truth);
        // Those that arrive late are corrected on arrival.
        if HOUR - (truth - TRUE) < 30_000 {
            assert_eq!(line.settled(*stamp, HOUR + 10).0, *truth);
        }
    }
    assert_eq!(line.now(HOUR + 5).0, TRUE + HOUR + 5);
    let after = line.now(HOUR + 5);
    assert_eq!(step.corrected(after), after, "what is right stays");
    assert_eq!(line.settled(after, HOUR + 10), after);
}

#[test]
fn an_assumed_line_that_ran_ahead_is_corrected_too() {
    let known = Known {
        last: TRUE - 10_000,
        unseen: 300_000,
        ..known()
    };
    let mut line = Timeline::new(known, at(0, 0, false));
    let stamp = line.now(60_000);
    assert!(stamp.0 > TRUE + 60_000, "ahead");
    let step = line.look(at(60_000, TRUE + 60_000, true)).expect("set");
    assert!(step.by_ms() < 0);
    assert_eq!(step.corrected(stamp).0, TRUE + 60_000);
    assert_eq!(line.settled(stamp, 60_100).0, TRUE + 60_000);
}

#[test]
fn a_clock_that_looks_right_is_believed_or_waited_for() {
    let mut line = Timeline::new(known(), at(0, TRUE, false));
    assert_eq!(line.assumed(), None);
    assert_eq!(line.look(at(250, TRUE + 250, false)), None);
    let wait = Known {
        believe: false,
        ..known()
    };
    let mut line = Timeline::new(wait, at(0, TRUE - 5_000, false));
    assert!(line.assumed().is_some());
    let stamp = line.now(1_000);
    let step = line.look(at(2_000, TRUE + 2_000, true)).expect("known");
    assert_eq!(step.corrected(stamp).0, TRUE + 1_000);
    assert_eq!(line.look(at(2_250, TRUE + 2_250, true)), None);
    // Right from the beginning: nothing moves, but whoever waits is told.
    let mut line = Timeline::new(wait, at(0, TRUE, false));
    let step = line.look(at(1_000, TRUE + 1_000, true)).expect("known");
    assert_eq!(
        (step.by_ms(), step.assumed_since),
        (0, Some(Timestamp(TRUE)))
    );
}

#[test]
fn a_clock_set_by_hand_is_believed_after_a_while() {
    let mut line = Timeline::new(known(), at(0, 0, false));
    assert_eq!(line.look(at(1_000, TRUE, false)), None);
    assert_eq!(line.look(at(9_000, TRUE + 8_000, false)), None);
    let step = line.look(at(11_000, TRUE + 10_000, false)).expect("set");
    assert_eq!(step.state, ClockState::Unsynchronised);
    assert!(step.assumed_since.is_some());
    // Set to what cannot be: never.
    let mut line = Timeline::new(known(), at(0, 0, false));
    for mono in (0..60_000).step_by(250) {
        assert_eq!(line.look(at(mono, 86_400_000 + mono, false)), None);
    }
}

#[test]
fn steps_of_three_hours_are_followed_and_told_once() {
    for by in [3 * HOUR, -3 * HOUR] {
        let mut line = Timeline::new(known(), at(0, TRUE, true));
        let steady = line.steady(10_000);
        let late = line.now(9_900);
        let step = line
            .look(at(10_000, TRUE + 10_000 + by, true))
            .expect("told");
        assert_eq!((step.by_ms(), step.assumed_since), (by, None));
        assert_eq!(line.look(at(10_250, TRUE + 10_250 + by, true)), None);
        assert_eq!(line.now(10_500).0, TRUE + 10_500 + by);
        assert_eq!(
            line.steady(10_000),
            steady,
            "the steady line knows nothing of it"
        );
        // A scan under way at the step lands on the new line, one after it is left alone.
        assert_eq!(line.settled(late, 10_100).0, TRUE + 9_900 + by);
        let fresh = line.now(10_050);
        assert_eq!(line.settled(fresh, 10_100), fresh);
        // What was stored before is not touched: nobody knows which of the two was right.
        assert_eq!(step.corrected(late), late);
    }
}

#[test]
fn small_differences_are_steered_and_time_never_goes_back() {
    for off in [STEP - 1, -(STEP - 1), 37, -3] {
        let mut line = Timeline::new(known(), at(0, TRUE, true));
        let mut before = line.now(0);
        for mono in (10..60_000).step_by(10) {
            if mono % 250 == 0 {
                assert_eq!(line.look(at(mono, TRUE + mono + off, true)), None);
            }
            let now = line.now(mono);
            assert!(now >= before, "{off}: {now:?} after {before:?}");
            before = now;
        }
        assert_eq!(line.now(60_000).0, TRUE + 60_000 + off);
    }
}

#[test]
fn a_clock_that_falls_back_to_1970_is_not_followed() {
    let mut line = Timeline::new(known(), at(0, TRUE, true));
    assert_eq!(line.look(at(1_000, 1_000, true)), None);
    assert_eq!(line.now(2_000).0, TRUE + 2_000);
    assert_eq!(line.state(), ClockState::Unsynchronised, "and not trusted");
    assert_eq!(line.look(at(3_000, TRUE + 3_000, true)), None);
    assert_eq!(line.state(), ClockState::Synchronised);
}

#[test]
fn giving_up_keeps_the_line_and_still_hears_of_the_time() {
    let mut line = Timeline::new(known(), at(0, 0, false));
    line.give_up();
    assert_eq!(line.assumed(), None);
    let before = line.now(1_000);
    assert_eq!(line.look(at(1_000, 1_000, false)), None);
    assert_eq!(line.now(1_000), before);
    let step = line.look(at(2_000, TRUE, true)).expect("set");
    assert_eq!(step.assumed_since, None, "what flowed is not rewritten");
    // Behind what is known, though possible: neither believed nor followed.
    let behind = Known {
        last: TRUE,
        ..known()
    };
    let mut line = Timeline::new(behind, at(0, TRUE - HOUR, false));
    line.give_up();
    assert_eq!(line.look(at(250, TRUE - HOUR + 250, false)), None);
    assert_eq!(line.now(250).0, TRUE + 250);
}

#[test]
fn a_time_service_is_right_even_against_what_is_remembered() {
    let poisoned = Known {
        last: TRUE + 9 * 365 * 24 * HOUR,
        ..known()
    };
    let line = Timeline::new(poisoned, at(0, TRUE, true));
    assert_eq!(
        (line.now(0).0, line.state()),
        (TRUE, ClockState::Synchronised)
    );
}

#[test]
fn a_certificate_says_what_time_it_is_not_and_a_time_service_may_say_otherwise() {
    let past = BUILT + 400 * 86_400_000;
    let known = Known { past, ..known() };
    let mut line = Timeline::new(known, at(5_000, 5_000, false));
    assert_eq!(line.now(5_000).0, past, "a box in 1970");
    // One that is only behind the certificate is as wrong.
    let behind = Timeline::new(known, at(0, past - HOUR, false));
    assert_eq!(behind.now(0).0, past);
    // Issued by a clock that was ahead: whoever knows the time is believed.
    let step = line.look(at(6_000, past - HOUR, true)).expect("set");
    assert_eq!(step.to.0, past - HOUR);
    assert_eq!(line.state(), ClockState::Synchronised);
    // What cannot be is not followed.
    let past = BUILT + 2 * HORIZON;
    let line = Timeline::new(Known { past, ..known }, at(5_000, 5_000, false));
    assert_eq!(line.now(5_000).0, BUILT);
}
