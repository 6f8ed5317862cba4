//! GitHub's words for how far something got, as ours.

use homeostat_schema::types::Status;

/// Of a `workflow_run`, by its action and conclusion; `None` for an action that is no news.
pub(super) fn of_run(action: Option<&str>, conclusion: Option<&str>) -> Option<Status> {
    match (action?, conclusion) {
        // A first-time contributor's run is "requested" with this conclusion already set.
        ("requested" | "in_progress", Some("action_required")) => Some(Status::Waiting),
        ("requested", _) => Some(Status::Queued),
        ("in_progress", _) => Some(Status::Running),
        ("completed", Some(conclusion)) => Some(of_conclusion(conclusion)),
        ("completed", None) => Some(Status::Unknown),
        _ => None,
    }
}

fn of_conclusion(conclusion: &str) -> Status {
    match conclusion {
        "success" | "neutral" => Status::Success,
        "failure" | "timed_out" | "startup_failure" => Status::Failure,
        // GitHub gave up on a run nobody finished: no verdict on the code.
        "cancelled" | "stale" => Status::Cancelled,
        "skipped" => Status::Skipped,
        "action_required" => Status::Waiting,
        other => Status::named(other),
    }
}

/// Of a `deployment_status`, by its state.
pub(super) fn of_deployment(state: &str) -> Status {
    match state {
        "pending" | "queued" => Status::Queued,
        "waiting" => Status::Waiting,
        "in_progress" => Status::Running,
        "success" => Status::Success,
        "failure" | "error" => Status::Failure,
        // A newer deployment took its place; not a failure.
        "inactive" => Status::Superseded,
        other => Status::named(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_statuses_follow_action_and_conclusion() {
        let check = |action, conclusion, expected: Option<Status>| {
            assert_eq!(of_run(action, conclusion), expected, "{action:?} {conclusion:?}");
        };
        check(Some("requested"), None, Some(Status::Queued));
        check(Some("requested"), Some("action_required"), Some(Status::Waiting));
        check(Some("in_progress"), None, Some(Status::Running));
        check(Some("completed"), Some("success"), Some(Status::Success));
        check(Some("completed"), Some("neutral"), Some(Status::Success));
        check(Some("completed"), Some("failure"), Some(Status::Failure));
        check(Some("completed"), Some("timed_out"), Some(Status::Failure));
        check(Some("completed"), Some("startup_failure"), Some(Status::Failure));
        check(Some("completed"), Some("cancelled"), Some(Status::Cancelled));
        check(Some("completed"), Some("stale"), Some(Status::Cancelled));
        check(Some("completed"), Some("skipped"), Some(Status::Skipped));
        check(Some("completed"), Some("action_required"), Some(Status::Waiting));
        check(Some("completed"), Some("brand_new"), Some(Status::Other("brand_new".to_owned())));
        check(Some("completed"), None, Some(Status::Unknown));
        check(Some("deleted"), None, None);
        check(None, Some("success"), None);
    }

    #[test]
    fn deployment_states_map_and_inactive_is_not_a_failure() {
        let check = |state: &str, expected: Status| assert_eq!(of_deployment(state), expected, "{state}");
        check("pending", Status::Queued);
        check("queued", Status::Queued);
        check("waiting", Status::Waiting);
        check("in_progress", Status::Running);
        check("success", Status::Success);
        check("failure", Status::Failure);
        check("error", Status::Failure);
        check("inactive", Status::Superseded);
        check("brand_new", Status::Other("brand_new".to_owned()));
    }
}
