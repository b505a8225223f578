//! A delivery as a Slack incoming webhook takes it: a line of text, and an attachment for each alert.

use serde_json::{Map, Value, json};

use super::delivery::{Delivery, labels, nested, text};

/// Slack shows no more without being asked; the rest is counted.
const MOST_ATTACHMENTS: usize = 20;

pub(super) fn message(delivery: &Delivery) -> Value {
    let more = delivery.alerts.len().saturating_sub(MOST_ATTACHMENTS);
    let mut headline = escaped(&delivery.headline());
    if more > 0 {
        headline = format!("{headline} (and {more} more alerts)");
    }
    let attachments: Vec<Value> = delivery.alerts.iter().take(MOST_ATTACHMENTS).map(attachment).collect();
    json!({ "text": headline, "attachments": attachments })
}

fn attachment(alert: &Map<String, Value>) -> Value {
    let firing = text(alert, "status") == "firing";
    let title = escaped(nested(alert, "labels", "alertname"));
    let summary = match nested(alert, "annotations", "summary") {
        "" => nested(alert, "annotations", "description"),
        summary => summary,
    };
    json!({
        "color": if firing { "danger" } else { "good" },
        "fallback": format!("{title}: {}", escaped(summary)),
        "title": title,
        "text": escaped(summary),
        "fields": [
            { "title": "Status", "value": escaped(text(alert, "status")), "short": true },
            { "title": "Since", "value": escaped(text(alert, "startsAt")), "short": true },
            { "title": "Labels", "value": escaped(&labels(alert)), "short": false },
        ],
    })
}

/// The three characters that Slack reads as markup of its own.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::delivery::tests::delivery;
    use super::*;

    #[test]
    fn each_alert_is_an_attachment_in_the_colour_of_its_state() {
        let alert = |status| {
            json!({
                "status": status, "startsAt": "2026-01-02T03:04:05Z",
                "labels": { "alertname": "HighErrorRate", "service": "user" },
                "annotations": { "summary": "errors > 5% & rising" },
            })
        };
        let message = message(&delivery(&json!([alert("firing"), alert("resolved")])));
        assert_eq!(message["text"], "[FIRING:1] HighErrorRate");
        assert_eq!(
            message["attachments"][0],
            json!({
                "color": "danger",
                "fallback": "HighErrorRate: errors &gt; 5% &amp; rising",
                "title": "HighErrorRate",
                "text": "errors &gt; 5% &amp; rising",
                "fields": [
                    { "title": "Status", "value": "firing", "short": true },
                    { "title": "Since", "value": "2026-01-02T03:04:05Z", "short": true },
                    { "title": "Labels", "value": "service=user", "short": false },
                ],
            })
        );
        assert_eq!(message["attachments"][1]["color"], "good");
    }

    #[test]
    fn a_large_group_is_cut_and_says_so() {
        let alerts = vec![json!({ "status": "firing" }); 25];
        let message = message(&delivery(&json!(alerts)));
        assert_eq!(message["attachments"].as_array().expect("a list").len(), 20);
        assert_eq!(message["text"], "[FIRING:25] HighErrorRate (and 5 more alerts)");
    }
}
