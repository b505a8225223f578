//! What a drill about the judge demands.

use firedrill_record::{MustBe, Reason, Verdict};

use super::problems::{Checked, Problems};
use crate::spelling;
use crate::written::MustBeText;
use crate::yaml::At;

/// Every verdict that `must_be` can demand.
pub(crate) const VERDICTS: [Verdict; 4] =
    [Verdict::Held, Verdict::Violated, Verdict::Inconclusive, Verdict::NotReached];

pub(super) fn check_must_be(text: At<MustBeText>, problems: &mut Problems<'_>) -> Checked<MustBe> {
    let At { value: MustBeText { verdict: verdict_text, reason: reason_text }, place } = text;
    let verdict = check_verdict(&verdict_text, problems);
    let reason = reason_text.as_ref().map(|reason| check_reason(reason, problems)).transpose();
    let (verdict, reason) = (verdict?, reason?);
    match (verdict, reason, reason_text) {
        (Verdict::Held, None, _) => Ok(MustBe { verdict, reason: None }),
        (_, Some(reason), _) if reason.verdict() == verdict => Ok(MustBe { verdict, reason: Some(reason) }),
        (_, Some(reason), Some(text)) => {
            let message = format!("the reason `{reason}` does not stand for the verdict `{verdict}`");
            let help = format!("write `verdict: {}` or another reason", reason.verdict());
            Err(problems.report(text.place, message, format!("a reason of `{}`", reason.verdict()), help))
        }
        (_, _, _) => {
            let message = format!("the verdict `{verdict}` without a reason");
            let known: Vec<&str> = reasons(verdict).collect();
            let help = format!("add `reason:`, one of {}", spelling::listed(&known));
            Err(problems.report(place, message, "any reason would do here", help))
        }
    }
}

fn check_verdict(text: &At<String>, problems: &mut Problems<'_>) -> Checked<Verdict> {
    VERDICTS.into_iter().find(|one| one.as_str() == text.value).ok_or_else(|| {
        let help = spelling::hint(&text.value, VERDICTS.map(Verdict::as_str));
        problems.report(text.place, format!("unknown verdict `{}`", text.value), "not a verdict", help)
    })
}

fn check_reason(text: &At<String>, problems: &mut Problems<'_>) -> Checked<Reason> {
    Reason::ALL.iter().copied().find(|one| one.as_str() == text.value).ok_or_else(|| {
        let help = spelling::hint(&text.value, Reason::ALL.iter().map(|one| one.as_str()));
        problems.report(text.place, format!("unknown reason `{}`", text.value), "not a reason", help)
    })
}

fn reasons(verdict: Verdict) -> impl Iterator<Item = &'static str> {
    Reason::ALL.iter().filter(move |one| one.verdict() == verdict).map(|one| one.as_str())
}
