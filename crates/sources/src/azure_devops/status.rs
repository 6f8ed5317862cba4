//! Azure DevOps's words for how far something got, as ours.

use homeostat_schema::types::Status;

/// Of a state (`inProgress`, `completed`, …) and, once completed, its result.
pub(super) fn of(state: Option<&str>, result: Option<&str>) -> Status {
    match (folded(state).as_str(), folded(result).as_str()) {
        ("completed", result) => of_result(result),
        ("notstarted" | "postponed" | "queued", _) => Status::Queued,
        // For an agent, an approval or a check.
        ("waiting" | "pending", _) => Status::Waiting,
        ("inprogress" | "running" | "canceling" | "cancelling", _) => Status::Running,
        _ => Status::Unknown,
    }
}

fn of_result(result: &str) -> Status {
    match result {
        // Only steps that may fail did.
        "succeeded" | "partiallysucceeded" | "succeededwithissues" => Status::Success,
        "failed" | "rejected" => Status::Failure,
        "canceled" | "cancelled" | "stopped" | "abandoned" => Status::Cancelled,
        "skipped" => Status::Skipped,
        "" => Status::Unknown,
        other => Status::named(other),
    }
}

/// Azure DevOps writes the same word in several cases.
fn folded(word: Option<&str>) -> String {
    word.unwrap_or_default().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_and_results_map() {
        let check =
            |state, result, expected: Status| assert_eq!(of(state, result), expected, "{state:?} {result:?}");
        check(Some("inProgress"), None, Status::Running);
        check(Some("running"), None, Status::Running);
        check(Some("canceling"), None, Status::Running);
        check(Some("notStarted"), None, Status::Queued);
        check(Some("waiting"), None, Status::Waiting);
        check(Some("completed"), Some("succeeded"), Status::Success);
        check(Some("completed"), Some("partiallySucceeded"), Status::Success);
        check(Some("completed"), Some("failed"), Status::Failure);
        check(Some("completed"), Some("rejected"), Status::Failure);
        check(Some("completed"), Some("canceled"), Status::Cancelled);
        check(Some("completed"), Some("stopped"), Status::Cancelled);
        check(Some("completed"), Some("skipped"), Status::Skipped);
        check(Some("completed"), Some("brandNew"), Status::Other("brandnew".to_owned()));
        check(Some("completed"), None, Status::Unknown);
        check(None, Some("succeeded"), Status::Unknown);
    }
}
