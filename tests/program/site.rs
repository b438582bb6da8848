//! The docs as a site, in a real browser. `PGGUARD_TEST_SITE` names the folder that `./dev docs` built, and
//! `PGGUARD_TEST_BROWSER` a Chromium; without them the test says that it is skipped.

use std::process::Command;

#[test]
fn the_site_is_read_light_and_dark_and_searched_in_a_browser() {
    let place = |name: &str| std::env::var(name).ok();
    let (Some(site), Some(browser)) = (place("PGGUARD_TEST_SITE"), place("PGGUARD_TEST_BROWSER"))
    else {
        println!("skipped: PGGUARD_TEST_SITE and PGGUARD_TEST_BROWSER are not set");
        return;
    };
    let look = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/site/look.py");
    let output = Command::new("python3")
        .args([look, &browser, &site])
        .output()
        .expect("python starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let seen: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");

    // Bright is near 255, dark near 0.
    let brightness = |scheme: &str| {
        let colour = seen[scheme].as_str().expect("a colour");
        let parts = colour.trim_start_matches("rgb(").trim_end_matches(')');
        let parts = parts
            .split(", ")
            .filter_map(|part| part.parse::<u32>().ok());
        parts.sum::<u32>() / 3
    };
    assert!(brightness("light") > 200, "{seen:#}");
    assert!(brightness("dark") < 60, "{seen:#}");
    assert_eq!(seen["wider_than_a_phone"], false, "{seen:#}");
    let found = seen["found"].as_array().expect("results");
    let is_there = |page: &str| {
        found
            .iter()
            .any(|f| f.as_str().is_some_and(|f| f.contains(page)))
    };
    assert!(
        is_there("/verdicts/cannot-tell/") && is_there("/connecting/"),
        "{seen:#}"
    );
    assert_eq!(
        seen["elsewhere"].as_array().map(Vec::len),
        Some(0),
        "nothing is fetched from elsewhere: {seen:#}"
    );
}
