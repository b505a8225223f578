//! Two runs side by side as a reader sees them.

use firedrill_record::{ComparedDrill, ComparedSegment, Comparison, Verdict};
use firedrill_reports::{RenderOptions, render_comparison};

fn segment(name: &str, observed: [Option<f64>; 2]) -> ComparedSegment {
    let apart = observed[0].zip(observed[1]).map(|(one, other)| (one - other).abs());
    ComparedSegment {
        expectation: r#"alert HighErrorRate{service="user",severity="critical"}"#.into(),
        name: name.into(),
        observed,
        unscaled: [0.004, 0.012],
        apart,
        agrees: apart.map(|apart| apart <= 30.0),
    }
}

fn comparison() -> Comparison {
    let drill = |name: &str, segments: Vec<ComparedSegment>| ComparedDrill {
        drill: name.parse().unwrap(),
        speeds: [Some(1), Some(60)],
        verdicts: [Some(Verdict::Held); 2],
        allowed: Some(30.0),
        segments,
        cannot_tell: None,
    };
    Comparison {
        runs: ["20261122t142300z-7f3a", "20261122t152300z-7f3b"].map(|id| id.parse().unwrap()),
        drills: vec![
            drill(
                "user-service-errors-page-the-team",
                vec![
                    segment("cause to pending", [Some(58.21), Some(64.7)]),
                    segment("pending to firing", [Some(300.0), Some(300.0)]),
                ],
            ),
            drill(
                "a-killed-auth-service-is-down",
                vec![segment("cause to pending", [Some(5.0), Some(40.0)])],
            ),
            ComparedDrill {
                speeds: [Some(1), None],
                verdicts: [Some(Verdict::Held), None],
                allowed: None,
                cannot_tell: Some("it ran in one of the two runs only".into()),
                ..drill("redis-that-is-down-pages-the-team", Vec::new())
            },
        ],
    }
}

#[test]
fn drills_that_agree_differ_and_cannot_be_told() {
    for width in [80, 120] {
        let options = RenderOptions { width: Some(width), ..RenderOptions::default() };
        let text = render_comparison(&comparison(), &options);
        assert!(text.lines().all(|line| console::measure_text_width(line) <= width), "{text}");
        insta::assert_snapshot!(format!("a_comparison_at_{width}_columns"), text);
    }
}
