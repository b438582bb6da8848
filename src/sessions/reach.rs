//! How many wait behind each, at any distance, for all at once.
//!
//! A thousand sessions in one queue stand behind each other half a million times; following every one
//! of them from every other would take seconds. Sets of bits do it in milliseconds.

use super::party::Party;
use crate::model::Pid;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How many are behind each party that has anybody directly behind it. Nobody is behind himself, not even in a ring.
pub fn counts(behind: &BTreeMap<Party, BTreeSet<Pid>>) -> HashMap<Party, usize> {
    let waiters: Vec<Pid> = behind
        .values()
        .flatten()
        .copied()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let bit: HashMap<Pid, usize> = waiters
        .iter()
        .enumerate()
        .map(|(at, &pid)| (pid, at))
        .collect();
    let parties: Vec<&Party> = behind.keys().collect();
    let row: HashMap<&Party, usize> = parties
        .iter()
        .enumerate()
        .map(|(at, &party)| (party, at))
        .collect();
    let words = waiters.len().div_ceil(64);
    let mut reached = vec![vec![0_u64; words]; parties.len()];
    // For each party, the rows of those directly behind that have somebody behind themselves.
    let mut next = vec![Vec::new(); parties.len()];
    for (at, pids) in behind.values().enumerate() {
        for pid in pids {
            reached[at][bit[pid] / 64] |= 1 << (bit[pid] % 64);
            next[at].extend(row.get(&Party::Pid(*pid)).copied());
        }
    }
    let mut grows = true;
    while grows {
        grows = false;
        for at in (0..parties.len()).rev() {
            let mut mine = std::mem::take(&mut reached[at]);
            for &other in &next[at] {
                for (word, theirs) in mine.iter_mut().zip(&reached[other]) {
                    grows |= *theirs & !*word != 0;
                    *word |= theirs;
                }
            }
            reached[at] = mine;
        }
    }
    parties
        .into_iter()
        .zip(reached)
        .map(|(party, bits)| {
            let all: usize = bits.iter().map(|word| word.count_ones() as usize).sum();
            let itself = party
                .pid()
                .and_then(|pid| bit.get(&pid))
                .is_some_and(|&at| bits[at / 64] >> (at % 64) & 1 == 1);
            (party.clone(), all - usize::from(itself))
        })
        .collect()
}
