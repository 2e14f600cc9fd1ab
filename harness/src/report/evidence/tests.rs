use protocol::time::UtcMillis;
use serde_json::Value;
use uuid::Uuid;

use super::*;
use crate::leak::Needles;
use crate::transcript::{Exchange, ExchangeId, IdKind, Plane};
use crate::verdict::{Finding, Standing};

const PASSWORD: &str = "Vq2}ZxkR7#ab";
const TOKEN: &str = "3f9c7a1be52d4e0fa6c8";
const MANAGED: &str = "ccd2470f-5c4e-4b17-acda-8df0238737fd";
const POLICY: &str = "0b9d2f7e-8c41-4a55-9a44-1d3f5a6b7c8d";
const ADMIN: &str = "http://127.0.0.1:8080/graph";

fn exchange(plane: Plane, party: &str, call: (&'static str, &str), n: i64) -> Exchange {
    Exchange {
        plane,
        scope: "rotate",
        party: party.to_owned(),
        method: call.0,
        path: call.1.to_owned(),
        client_request_id: Some(Uuid::from_u128(5)),
        sent_at: UtcMillis::from_millis(n),
        received_at: Some(UtcMillis::from_millis(n + 12)),
        request: Vec::new(),
        status: Some(200),
        response: Vec::new(),
        failure: None,
    }
}

/// A policy is made and assigned, a device has a session and is looked at; and what proves it.
fn story() -> (Transcript, Vec<ExchangeId>) {
    let transcript = Transcript::default();
    transcript.note_device("LAB-0007", IdKind::Managed, MANAGED.to_owned());
    let device = format!("/graph/beta/deviceManagement/managedDevices/{MANAGED}");
    let policies = "/graph/beta/deviceManagement/configurationPolicies";
    let mut made = exchange(Plane::Admin, "policy-admin", ("POST", policies), 1);
    made.status = Some(201);
    made.request = format!(r#"{{"name":"it's","secret":"{TOKEN}"}}"#).into_bytes();
    made.response = format!(r#"{{"id":"{POLICY}","name":"it's"}}"#).into_bytes();
    let assigned = format!("{policies}/{POLICY}/assign");
    let mut assigned = exchange(Plane::Admin, "policy-admin", ("POST", &assigned), 2);
    assigned.request = br#"{"assignments":[]}"#.to_vec();
    let session = exchange(Plane::Manage, "LAB-0007", ("POST", "/m"), 3);
    let other = exchange(Plane::Manage, "LAB-0008", ("POST", "/m"), 4);
    let mut seen = exchange(Plane::Admin, "password-reader", ("GET", &device), 5);
    seen.response = format!(
        r#"{{"deviceActionResults":[{{"actionName":"rotate","actionState":"done","detail":"{PASSWORD}"}}]}}"#
    )
    .into_bytes();
    let made = transcript.record(made);
    let assigned = transcript.record(assigned);
    let _session = transcript.record(session);
    let _other = transcript.record(other);
    let seen = transcript.record(seen);
    (transcript, vec![made, assigned, seen])
}

/// The files of one violation by their names below its folder.
fn files(transcript: &Transcript, proofs: Vec<ExchangeId>) -> Vec<(String, String)> {
    let catalogue = Catalogue::builtin().unwrap();
    let requirement = catalogue.requirement("REQ-ROTATE-003").unwrap();
    let redactor = Redactor::new([1; 16], Needles::new([PASSWORD, TOKEN]));
    let mut tally = Tally::default();
    tally.count(Finding::Violated(Violation {
        fingerprint: "done-though-offline",
        required: "the rotation ends as failed".to_owned(),
        seen: format!("the action is `done`, with {PASSWORD}"),
        exchanges: proofs,
    }));
    let judged = (&tally, Standing::default());
    let mut row = RequirementRow::new(requirement, judged, Vec::new(), &redactor);
    let prover = Prover {
        catalogue: &catalogue,
        transcript,
        redactor: &redactor,
        admin_url: ADMIN,
        command: "muster conform --only {id} --seed 1",
    };
    let files = prover.attach(&mut row, requirement, &tally).unwrap();
    assert_eq!(row.evidence, ["evidence/REQ-ROTATE-003-1/violation.md"]);
    let name = |file: &EvidenceFile| {
        let name = file.path.strip_prefix("evidence/REQ-ROTATE-003-1/");
        name.unwrap().to_owned()
    };
    files
        .into_iter()
        .map(|file| (name(&file), String::from_utf8(file.bytes).unwrap()))
        .collect()
}

fn file<'f>(files: &'f [(String, String)], name: &str) -> &'f str {
    let found = files.iter().find(|(known, _)| known == name);
    &found.unwrap().1
}

#[test]
fn a_violation_leaves_its_proof_without_secrets() {
    let (transcript, proofs) = story();
    let files = files(&transcript, proofs);
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "violation.md",
            "exchanges.json",
            "timeline.txt",
            "repeat.sh",
            "bodies/01.json",
            "bodies/02.json"
        ]
    );
    for (name, text) in &files {
        assert!(
            !text.contains(PASSWORD) && !text.contains(TOKEN),
            "{name}: {text}"
        );
    }
}

#[test]
fn the_page_says_what_was_required_seen_and_where_it_is_written() {
    let (transcript, proofs) = story();
    let files = files(&transcript, proofs);
    let page = file(&files, "violation.md");
    for part in [
        "# REQ-ROTATE-003: ",
        "kind `done-though-offline`; level MUST; 1 of 1 cases",
        "**Required:** the rotation ends as failed.",
        "**Seen:** the action is `done`, with <secret: ",
        "**Why it matters:** ",
        "\"actionState\": \"done\"",
        "**SEED S19**: \"Manage Windows LAPS policy with Microsoft Intune (first text)\"",
        "    muster conform --only REQ-ROTATE-003 --seed 1",
        "    sh repeat.sh",
    ] {
        assert!(page.contains(part), "{part} in\n{page}");
    }
    let catalogue = Catalogue::builtin().unwrap();
    for note in &catalogue
        .requirement("REQ-ROTATE-003")
        .unwrap()
        .interpretation
    {
        assert!(page.contains(&note.decision), "{page}");
    }
}

#[test]
fn the_timeline_holds_both_planes_of_the_device_and_nothing_of_others() {
    let (transcript, proofs) = story();
    let files = files(&transcript, proofs);
    let lines: Vec<&str> = file(&files, "timeline.txt")
        .lines()
        .filter(|line| line.contains("  #"))
        .collect();
    let starts: Vec<&str> = lines.iter().map(|line| &line[..33]).collect();
    assert_eq!(
        starts,
        [
            "* 00:00:00.001   12 ms  #0      a",
            "* 00:00:00.002   12 ms  #1      a",
            "  00:00:00.003   12 ms  #2      m",
            "* 00:00:00.005   12 ms  #4      a",
        ]
    );
    assert!(
        lines[3].ends_with("-> 200  (actions: [rotate done])"),
        "{}",
        lines[3]
    );
    assert!(!file(&files, "timeline.txt").contains("LAB-0008"));
}

#[test]
fn the_exchanges_say_which_of_them_prove() {
    let (transcript, proofs) = story();
    let files = files(&transcript, proofs);
    let document: Value = serde_json::from_str(file(&files, "exchanges.json")).unwrap();
    assert_eq!(document["schema"], exchanges::SCHEMA);
    assert_eq!(document["exchanges_left_out"], 0);
    let shown = document["exchanges"].as_array().unwrap();
    let shown: Vec<(u64, bool)> = shown
        .iter()
        .map(|row| {
            (
                row["id"].as_u64().unwrap(),
                row["proves"].as_bool().unwrap(),
            )
        })
        .collect();
    assert_eq!(shown, [(0, true), (1, true), (2, false), (4, true)]);
    let answer = &document["exchanges"][3]["response"]["deviceActionResults"][0];
    assert_eq!(answer["actionState"], "done");
}

#[test]
fn the_script_takes_new_ids_from_answers_and_those_of_devices_from_variables() {
    let (transcript, proofs) = story();
    let files = files(&transcript, proofs);
    let script = file(&files, "repeat.sh");
    for line in [
        "ADMIN_URL=\"${ADMIN_URL:-http://127.0.0.1:8080/graph}\"",
        ": \"${TOKEN_POLICY_ADMIN:?the token of the actor policy-admin}\"",
        &format!("LAB_0007_MANAGED=\"${{LAB_0007_MANAGED:-{MANAGED}}}\""),
        "ID_0=$(first_id)",
        "call 1 200 \"$TOKEN_POLICY_ADMIN\" POST '/beta/deviceManagement/configurationPolicies/'\"$ID_0\"'/assign' --header 'Content-Type: application/json' --data-binary \"@$work/body\"  # proves the violation",
        "# LAB-0007 has a management session (#2)",
        "call 4 200 \"$TOKEN_PASSWORD_READER\" GET '/beta/deviceManagement/managedDevices/'\"$LAB_0007_MANAGED\"  # proves the violation",
    ] {
        assert!(
            script.lines().any(|known| known == line),
            "{line} in\n{script}"
        );
    }
}

#[test]
fn a_long_list_is_shown_as_far_as_it_concerns_the_device() {
    let list = |names: &[&str]| {
        let element = |name: &&str| serde_json::json!({ "deviceName": name });
        let value: Vec<Value> = names.iter().map(element).collect();
        serde_json::json!({ "value": value })
            .to_string()
            .into_bytes()
    };
    let others = ["A", "B", "C", "D", "E", "F"];
    let one = ["A", "B", "C", "D", "E", "LAB-0007"];
    for (names, sentence) in [
        (&others[..], "none of its 6 elements speaks of"),
        (&one[..], "of its 6 elements the 1 that speak of"),
        (&others[..3], "The answer:"),
    ] {
        let (transcript, mut proofs) = story();
        let audit = "/graph/beta/deviceManagement/auditEvents";
        let mut log = exchange(Plane::Admin, "auditor", ("GET", audit), 9);
        log.response = list(names);
        proofs.push(transcript.record(log));
        let files = files(&transcript, proofs);
        let page = file(&files, "violation.md");
        assert!(page.contains(sentence), "{sentence} in\n{page}");
    }
}

#[test]
fn what_is_left_out_is_counted() {
    let transcript = Transcript::default();
    let count = story::EXCHANGES_MAX + 20;
    let proofs = (0..count).map(|n| {
        let n = i64::try_from(n).unwrap();
        transcript.record(exchange(
            Plane::Push,
            "LAB-0001",
            ("POST", "/channels/1"),
            n,
        ))
    });
    let mut proofs: Vec<ExchangeId> = proofs.collect();
    // One that was never kept.
    proofs.push(ExchangeId(1_000_000));
    let files = files(&transcript, proofs);
    assert!(file(&files, "timeline.txt").contains("\n21 more exchanges are not shown"));
    let document: Value = serde_json::from_str(file(&files, "exchanges.json")).unwrap();
    let shown = document["exchanges"].as_array().unwrap().len();
    assert_eq!(shown, exchanges::EXCHANGES_MAX);
    assert_eq!(document["exchanges_left_out"], count + 1 - shown);
    assert!(!files.iter().any(|(name, _)| name == "repeat.sh"));
}
