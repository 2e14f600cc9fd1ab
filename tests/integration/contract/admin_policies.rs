//! Contract 5: configuration policies: what is taken, refused and read back.

use serde_json::{Value, json};

use super::site::{
    POLICY_ADMIN, Site, all_devices, all_users, body_of, excluding, instance, policy_body, to_group,
};
use super::text::{guid, instant, is_guid};

const POLICIES: &str = "/deviceManagement/configurationPolicies";

#[track_caller]
fn create(site: &Site, body: &Value) -> u16 {
    site.post(POLICY_ADMIN, POLICIES, body).status
}

#[test]
fn policy_comes_back_as_it_was_given() {
    let site = Site::new();
    let mut body = policy_body(
        "Baseline \u{e4}",
        &[
            ("backupdirectory", "1"),
            ("passwordagedays_aad", "30"),
            ("administratoraccountname", "local"),
        ],
    );
    body["description"] = json!("what it is for");
    body["roleScopeTagIds"] = json!(["3", "4"]);
    body["unheardOf"] = json!({"is": "ignored"});
    let created = site.post(POLICY_ADMIN, POLICIES, &body).expect(201).json();
    let id = created["id"].as_str().unwrap();
    assert!(is_guid(id));
    let path = format!("{POLICIES}/{id}");
    let listed = site.list(POLICY_ADMIN, POLICIES);
    let one = site.get(POLICY_ADMIN, &path).expect(200).json();
    for seen in [&created, &listed[0], &one] {
        assert_eq!(seen["id"], id);
        for member in [
            "name",
            "description",
            "roleScopeTagIds",
            "platforms",
            "technologies",
        ] {
            assert_eq!(seen[member], body[member], "{member}");
        }
        assert_eq!(
            seen["templateReference"]["templateId"],
            body["templateReference"]["templateId"]
        );
        instant(seen["createdDateTime"].as_str().unwrap());
        instant(seen["lastModifiedDateTime"].as_str().unwrap());
    }
    let settings = site.list(POLICY_ADMIN, &format!("{path}/settings"));
    let instances: Vec<&Value> = settings
        .iter()
        .map(|setting| &setting["settingInstance"])
        .collect();
    assert_eq!(instances.len(), 2);
    let directory = instances
        .iter()
        .find(|one| {
            one["choiceSettingValue"]["value"]
                == "device_vendor_msft_laps_policies_backupdirectory_1"
        })
        .unwrap();
    let child = &directory["choiceSettingValue"]["children"][0];
    assert_eq!(
        child["settingDefinitionId"],
        "device_vendor_msft_laps_policies_passwordagedays_aad"
    );
    assert_eq!(child["simpleSettingValue"]["value"], 30);
    let name = instances
        .iter()
        .find(|one| {
            one["settingDefinitionId"]
                == "device_vendor_msft_laps_policies_administratoraccountname"
        })
        .unwrap();
    assert_eq!(name["simpleSettingValue"]["value"], "local");
    assert!(
        site.list(POLICY_ADMIN, &format!("{path}/assignments"))
            .is_empty()
    );
}

#[test]
fn description_and_tags_have_defaults() {
    let site = Site::new();
    let body = policy_body("plain", &[("passwordlength", "20")]);
    let created = site.post(POLICY_ADMIN, POLICIES, &body).expect(201).json();
    assert_eq!(created["roleScopeTagIds"], json!(["0"]));
}

#[test]
fn values_at_the_limits_are_taken_and_beyond_refused() {
    let site = Site::new();
    // laps-facts 1.2: name, smallest, greatest.
    for (name, low, high) in [
        ("passwordlength", 8, 64),
        ("passphraselength", 3, 10),
        ("postauthenticationresetdelay", 0, 24),
        ("passwordagedays", 1, 365),
        ("passwordagedays_aad", 7, 365),
        ("adencryptedpasswordhistorysize", 0, 12),
    ] {
        for (value, status) in [(low, 201), (high, 201), (low - 1, 400), (high + 1, 400)] {
            let body = policy_body("p", &[(name, &value.to_string())]);
            assert_eq!(create(&site, &body), status, "{name} {value}");
        }
    }
    for (name, good, bad) in [
        (
            "backupdirectory",
            &["0", "1", "2"][..],
            &["3", "", "-1"][..],
        ),
        ("passwordcomplexity", &["1", "4", "5", "8"], &["0", "9"]),
        (
            "postauthenticationactions",
            &["1", "3", "5", "11"],
            &["0", "2", "4", "10"],
        ),
        (
            "adpasswordencryptionenabled",
            &["true", "false"],
            &["1", "yes"],
        ),
        (
            "passwordexpirationprotectionenabled",
            &["true", "false"],
            &["0"],
        ),
        (
            "automaticaccountmanagementenabled",
            &["true", "false"],
            &["0"],
        ),
        (
            "automaticaccountmanagementtarget",
            &["0", "1"],
            &["2", "true"],
        ),
    ] {
        for (values, status) in [(good, 201), (bad, 400)] {
            for value in values {
                let body = policy_body("p", &[(name, value)]);
                assert_eq!(create(&site, &body), status, "{name} {value}");
            }
        }
    }
}

/// Backup directory with this option and a setting below it.
fn below(option: &str, child: &Value) -> Value {
    let mut parent = instance("backupdirectory", option);
    parent["choiceSettingValue"]["children"] = json!([child]);
    parent
}

#[test]
fn misplaced_settings_are_refused() {
    let site = Site::new();
    let ad_only = || instance("adpasswordencryptionenabled", "true");
    for (what, instance, status) in [
        (
            "AAD age below AAD",
            below("1", &instance("passwordagedays_aad", "30")),
            201,
        ),
        (
            "AAD age below AD",
            below("2", &instance("passwordagedays_aad", "30")),
            400,
        ),
        (
            "AD age below AAD",
            below("1", &instance("passwordagedays", "30")),
            400,
        ),
        (
            "AD age below AD",
            below("2", &instance("passwordagedays", "3")),
            201,
        ),
        ("AD setting below AAD", below("1", &ad_only()), 400),
        ("AD setting below AD", below("2", &ad_only()), 201),
        ("AD setting below off", below("0", &ad_only()), 400),
        (
            "unknown child",
            below("1", &instance("nosuchsetting", "1")),
            400,
        ),
        ("child at the root", instance("passwordagedays", "3"), 201),
    ] {
        assert_eq!(create(&site, &body_of("p", &[instance])), status, "{what}");
    }
}

#[test]
fn unknown_doubled_and_mistyped_settings_are_refused() {
    let site = Site::new();
    let mut text_for_number = instance("administratoraccountname", "20");
    text_for_number["settingDefinitionId"] =
        json!("device_vendor_msft_laps_policies_passwordlength");
    let mut choice_of_another = instance("backupdirectory", "1");
    choice_of_another["choiceSettingValue"]["value"] =
        json!("device_vendor_msft_laps_policies_passwordcomplexity_1");
    let age = || instance("passwordagedays_aad", "30");
    let length = || instance("passwordlength", "20");
    for (what, instances, status) in [
        ("unknown", vec![instance("nosuchsetting", "1")], 400),
        ("doubled", vec![length(), length()], 400),
        (
            "doubled below and beside",
            vec![below("1", &age()), age()],
            400,
        ),
        ("text for a number", vec![text_for_number], 400),
        ("choice of another setting", vec![choice_of_another], 400),
    ] {
        assert_eq!(create(&site, &body_of("p", &instances)), status, "{what}");
    }
}

#[test]
fn other_templates_platforms_and_shapes_are_refused() {
    let site = Site::new();
    let good = policy_body("p", &[("passwordlength", "20")]);
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut body = good.clone();
        change(&mut body);
        create(&site, &body)
    };
    assert_eq!(changed(&|_| {}), 201);
    assert_eq!(changed(&|body| body["platforms"] = json!("macOS")), 400);
    assert_eq!(
        changed(&|body| body["templateReference"]["templateId"] =
            json!("00000000-0000-0000-0000-000000000000_1")),
        400
    );
    assert_eq!(changed(&|body| body["name"] = json!(1)), 400);
    assert_eq!(changed(&|body| body["settings"] = json!({})), 400);
    assert_eq!(changed(&|body| body["roleScopeTagIds"] = json!("0")), 400);
    assert_eq!(
        changed(&|body| {
            body.as_object_mut().unwrap().remove("name");
        }),
        400
    );
    assert_eq!(site.list(POLICY_ADMIN, POLICIES).len(), 1);
}

#[test]
fn put_replaces_name_and_settings() {
    let site = Site::new();
    let policy = site.policy(&[("backupdirectory", "1"), ("passwordlength", "20")]);
    let path = format!("{POLICIES}/{policy}");
    let body = policy_body("renamed", &[("passwordlength", "30")]);
    site.send(POLICY_ADMIN, "PUT", &path, &body).expect(204);
    assert_eq!(
        site.get(POLICY_ADMIN, &path).expect(200).json()["name"],
        "renamed"
    );
    let settings = site.list(POLICY_ADMIN, &format!("{path}/settings"));
    assert_eq!(settings.len(), 1);
    assert_eq!(
        settings[0]["settingInstance"]["simpleSettingValue"]["value"],
        30
    );
    let wrong = policy_body("wrong", &[("passwordlength", "7")]);
    site.send(POLICY_ADMIN, "PUT", &path, &wrong)
        .expect_error(400);
    assert_eq!(
        site.get(POLICY_ADMIN, &path).expect(200).json()["name"],
        "renamed"
    );
}

#[test]
fn deleted_and_unknown_policies_are_not_found() {
    let site = Site::new();
    let policy = site.policy(&[("passwordlength", "20")]);
    site.delete(POLICY_ADMIN, &format!("{POLICIES}/{policy}"))
        .expect(204);
    for id in [policy.as_str(), &guid(), "no-guid"] {
        let path = format!("{POLICIES}/{id}");
        site.get(POLICY_ADMIN, &path).expect_error(404);
        site.delete(POLICY_ADMIN, &path).expect_error(404);
        for part in ["settings", "assignments", "deviceStatuses"] {
            site.get(POLICY_ADMIN, &format!("{path}/{part}"))
                .expect_error(404);
        }
        let body = policy_body("p", &[("passwordlength", "20")]);
        site.send(POLICY_ADMIN, "PUT", &path, &body)
            .expect_error(404);
        site.post(
            POLICY_ADMIN,
            &format!("{path}/assign"),
            &json!({"assignments": []}),
        )
        .expect_error(404);
    }
}

#[test]
fn assignments_are_replaced_and_read_back() {
    let site = Site::new();
    let policy = site.policy(&[("passwordlength", "20")]);
    let (one, two) = (site.group(&[]), site.group(&[]));
    let path = format!("{POLICIES}/{policy}/assignments");
    let targets = |site: &Site| -> Vec<(Value, Value)> {
        let list = site.list(POLICY_ADMIN, &path);
        list.iter()
            .map(|row| {
                (
                    row["target"]["@odata.type"].clone(),
                    row["target"]["groupId"].clone(),
                )
            })
            .collect()
    };
    let answer = site
        .try_assign(
            &policy,
            &[to_group(&one), excluding(&two), all_devices(), all_users()],
        )
        .expect(200);
    assert_eq!(answer.json()["value"].as_array().unwrap().len(), 4);
    assert_eq!(
        targets(&site),
        [
            (json!("#microsoft.graph.groupAssignmentTarget"), json!(one)),
            (
                json!("#microsoft.graph.exclusionGroupAssignmentTarget"),
                json!(two)
            ),
            (
                json!("#microsoft.graph.allDevicesAssignmentTarget"),
                Value::Null
            ),
            (
                json!("#microsoft.graph.allLicensedUsersAssignmentTarget"),
                Value::Null
            ),
        ]
    );
    site.assign(&policy, &[to_group(&two)]);
    assert_eq!(targets(&site).len(), 1);
    site.try_assign(&policy, &[to_group(&one), to_group(&guid())])
        .expect_error(404);
    assert_eq!(
        targets(&site),
        [(json!("#microsoft.graph.groupAssignmentTarget"), json!(two))]
    );
    let unknown = json!({"@odata.type": "#microsoft.graph.otherTarget"});
    site.try_assign(&policy, &[unknown]).expect_error(400);
    let shapeless = format!("{POLICIES}/{policy}/assign");
    for body in [
        json!({}),
        json!({"assignments": 1}),
        json!({"assignments": [{}]}),
    ] {
        site.post(POLICY_ADMIN, &shapeless, &body).expect_error(400);
    }
    assert_eq!(targets(&site).len(), 1);
}

#[test]
fn policies_are_listed_page_by_page() {
    let site = Site::new();
    let mut made: Vec<String> = (0..7)
        .map(|_| site.policy(&[("passwordlength", "20")]))
        .collect();
    for top in [1, 2, 3, 7, 999] {
        let listed = site.list(POLICY_ADMIN, &format!("{POLICIES}?$top={top}"));
        let mut ids: Vec<String> = listed
            .iter()
            .map(|row| row["id"].as_str().unwrap().to_owned())
            .collect();
        ids.sort();
        made.sort();
        assert_eq!(ids, made, "$top={top}");
    }
    for query in [
        "$top=0",
        "$top=1000",
        "$top=x",
        "$top=-1",
        "$skiptoken=garbage",
        "$filter=name eq 'x'",
        "$expand=settings",
        "$count=true",
        "x=y",
        "$orderby=name",
    ] {
        site.get(POLICY_ADMIN, &format!("{POLICIES}?{query}"))
            .expect_error(400);
    }
}

#[test]
fn pages_skip_nothing_when_an_element_goes() {
    let site = Site::new();
    for victim in [0, 1] {
        for _ in 0..6 {
            site.policy(&[("passwordlength", "20")]);
        }
        let before: Vec<String> = ids(&site.list(POLICY_ADMIN, POLICIES));
        let page = site
            .get(POLICY_ADMIN, &format!("{POLICIES}?$top=2"))
            .expect(200)
            .json();
        let mut seen = ids(page["value"].as_array().unwrap());
        site.delete(POLICY_ADMIN, &format!("{POLICIES}/{}", seen[victim]))
            .expect(204);
        seen.extend(ids(
            &site.list(POLICY_ADMIN, page["@odata.nextLink"].as_str().unwrap())
        ));
        seen.sort();
        let mut before = before;
        before.sort();
        assert_eq!(seen, before);
    }
}

fn ids(rows: &[Value]) -> Vec<String> {
    rows.iter()
        .map(|row| row["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn lists_below_a_policy_have_pages_too() {
    let site = Site::new();
    let policy = site.policy(&[("passwordlength", "20"), ("passwordcomplexity", "3")]);
    let group = site.group(&[]);
    site.assign(&policy, &[all_devices(), excluding(&group)]);
    let path = format!("{POLICIES}/{policy}");
    let device = site.device(super::site::ENTRA);
    let other = site.device(super::site::HYBRID);
    for (part, count) in [("settings", 2), ("assignments", 2), ("deviceStatuses", 2)] {
        let page = site
            .get(POLICY_ADMIN, &format!("{path}/{part}?$top=1"))
            .expect(200)
            .json();
        assert_eq!(page["value"].as_array().unwrap().len(), 1, "{part}");
        assert_eq!(
            site.list(POLICY_ADMIN, &format!("{path}/{part}?$top=1"))
                .len(),
            count,
            "{part}"
        );
        site.get(POLICY_ADMIN, &format!("{path}/{part}?$filter=id eq 'x'"))
            .expect_error(400);
    }
    for device in [device, other] {
        let path = format!(
            "/deviceManagement/managedDevices/{}/deviceConfigurationStates",
            device.managed_id
        );
        assert_eq!(site.list(POLICY_ADMIN, &format!("{path}?$top=1")).len(), 1);
        site.get(POLICY_ADMIN, &format!("{path}?$top=0"))
            .expect_error(400);
    }
}
