//! Parallel dumps: the tail where the last large table keeps one worker busy.

/// How much longer the rest takes than work divided by workers: at least 1.
///
/// `in_flight` is what remains of the tables now copied, `waiting` the others in dump order.
pub(super) fn stretch(in_flight: &[f64], waiting: &[f64], workers: usize) -> f64 {
    let total: f64 = in_flight.iter().sum::<f64>() + waiting.iter().sum::<f64>();
    if workers < 2 || total <= 0.0 {
        return 1.0;
    }
    let mut busy = in_flight.to_vec();
    busy.resize(workers.max(in_flight.len()), 0.0);
    for work in waiting {
        if let Some(first) = busy.iter_mut().min_by(|a, b| a.total_cmp(b)) {
            *first += work;
        }
    }
    let longest = busy.iter().copied().fold(0.0, f64::max);
    (longest / (total / workers as f64)).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_long_table_stretches_the_rest() {
        assert!((stretch(&[8.0], &[1.0, 1.0], 2) - 1.6).abs() < 1e-9);
        assert!((stretch(&[1.0, 1.0], &[1.0, 1.0], 2) - 1.0).abs() < 1e-9);
        assert!((stretch(&[5.0], &[], 1) - 1.0).abs() < 1e-9);
    }
}
