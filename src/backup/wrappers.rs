//! Programs that run another one, and where its words begin.

/// A program that runs another one: its names, its short options with a value, its words before the command.
pub(super) type Wrapper = (&'static [&'static str], &'static str, usize);

pub(super) const WRAPPERS: [Wrapper; 13] = [
    (
        &[
            "nohup",
            "setsid",
            "exec",
            "time",
            "eatmydata",
            "chronic",
            "cronic",
            "run-one",
            "command",
            "!",
            "if",
            "then",
            "else",
            "elif",
            "do",
            "while",
            "until",
            "{",
            "busybox",
            "faketime",
            "unbuffer",
        ],
        "",
        0,
    ),
    (&["nice"], "n", 0),
    (&["ionice"], "cnpPu", 0),
    (&["timeout", "gtimeout"], "ks", 1),
    (
        &[
            "chrt",
            "taskset",
            "chroot",
            "envdir",
            "gosu",
            "su-exec",
            "setuidgid",
        ],
        "",
        1,
    ),
    (&["flock"], "wE", 1),
    (&["env"], "uCS", 0),
    (&["sudo", "doas"], "ugUpCTrtDRh", 0),
    (&["chpst"], "uUbemdoplfct/", 0),
    (&["xargs"], "nPILdEsa", 0),
    (&["stdbuf"], "ioe", 0),
    (&["systemd-run"], "pEuHMCG", 0),
    (
        &[
            "systemd-cat",
            "systemd-inhibit",
            "cgexec",
            "trickle",
            "cpulimit",
            "lockrun",
        ],
        "tpgudlL",
        0,
    ),
];

/// Long options with a value in the next word.
const VALUED_LONG: [&str; 18] = [
    "user",
    "group",
    "adjustment",
    "class",
    "classdata",
    "kill-after",
    "signal",
    "wait",
    "timeout",
    "unset",
    "chdir",
    "host",
    "property",
    "unit",
    "setenv",
    "name",
    "network",
    "env-file",
];

pub(super) const SHELLS: [&str; 8] = ["sh", "bash", "dash", "zsh", "ksh", "ash", "fish", "rbash"];

/// ssh's short options with a value.
pub(super) const SSH: &str = "bcDEeFIiJLlmOopQRSWwBP";

/// Programs that run a command elsewhere, once a word says so.
pub(super) const CONTAINERS: [&str; 8] = [
    "docker",
    "podman",
    "nerdctl",
    "docker-compose",
    "podman-compose",
    "kubectl",
    "oc",
    "lxc",
];

/// Their options with a value; `-i` and `-t` have none.
const CONTAINER: &str = "euwvpmhlcnf";

/// Programs that run what stands behind their `--`.
pub(super) const BEHIND_DASHES: [&str; 9] = [
    "runitor",
    "aws-vault",
    "op",
    "doppler",
    "chamber",
    "infisical",
    "tini",
    "dumb-init",
    "cronitor",
];

/// Whether a word holds this short option: `-c`, `-lc`.
pub(super) fn is_cluster(word: &str, option: char) -> bool {
    let letters = word.strip_prefix('-');
    letters.is_some_and(|l| !l.starts_with('-') && l.contains(option))
}

/// The words after a program's options and after `before` of its other words.
pub(super) fn behind_options<'a>(
    mut words: &'a [String],
    valued: &str,
    mut before: usize,
) -> &'a [String] {
    while let Some((word, rest)) = words.split_first() {
        if word == "--" {
            return rest.get(before..).unwrap_or_default();
        }
        let takes_next = match (word.strip_prefix("--"), word.strip_prefix('-')) {
            (Some(long), _) => VALUED_LONG.contains(&long),
            // The last letter of a word takes the next one.
            (None, Some(letters)) if !letters.is_empty() => letters
                .find(|c| valued.contains(c))
                .is_some_and(|at| at + 1 == letters.len()),
            _ if before > 0 => {
                before -= 1;
                false
            }
            _ => return words,
        };
        let next = if takes_next {
            rest.get(1..)
        } else {
            Some(rest)
        };
        words = next.unwrap_or_default();
        // `flock FILE -c TEXT` is no option of the command's.
        if before == 0 && words.first().is_some_and(|w| w == "-c") && !valued.contains('c') {
            return words;
        }
    }
    words
}

/// What runs in a container: behind `--`, or behind `exec` or `run`, its options and the container's name.
pub(super) fn in_container(arguments: &[String]) -> &[String] {
    if let Some(dashes) = arguments.iter().position(|word| word == "--") {
        return &arguments[dashes + 1..];
    }
    let runs = |word: &String| word == "exec" || word == "run";
    match arguments.iter().position(runs) {
        Some(at) => behind_options(&arguments[at + 1..], CONTAINER, 1),
        None => &[],
    }
}
