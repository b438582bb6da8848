//! The lower root of a symmetric matrix (Cholesky).

/// The lower root: row after row.
pub(super) struct Root(Vec<Vec<f64>>);

impl Root {
    /// Of the matrix with these entries, of which the lower half is asked; `None`: it has none.
    pub fn of(size: usize, entry: impl Fn(usize, usize) -> f64) -> Option<Self> {
        let mut rows: Vec<Vec<f64>> = Vec::with_capacity(size);
        for one in 0..size {
            let mut row: Vec<f64> = Vec::with_capacity(one + 1);
            for (other, above) in rows.iter().enumerate() {
                let before: f64 = dot(&row, above);
                row.push((entry(one, other) - before) / above[other]);
            }
            let left = entry(one, one) - dot(&row, &row);
            if left <= 0.0 {
                return None;
            }
            row.push(left.sqrt());
            rows.push(row);
        }
        Some(Self(rows))
    }

    /// Logarithm of the determinant of the matrix.
    pub fn log_determinant(&self) -> f64 {
        let diagonal = self.0.iter().filter_map(|row| row.last());
        2.0 * diagonal.map(|x| x.ln()).sum::<f64>()
    }

    /// A column as it would be if all were independent and of variance one.
    pub fn whitened(&self, column: &[f64]) -> Vec<f64> {
        let mut white: Vec<f64> = Vec::with_capacity(column.len());
        for (row, value) in self.0.iter().zip(column) {
            let before: f64 = dot(row, &white);
            white.push((value - before) / row[white.len()]);
        }
        white
    }
}

/// The sum of the products, as far as both go.
pub(super) fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(x, y)| x * y).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_times_itself_is_the_matrix() {
        let matrix = [[4.0, 2.0, 0.6], [2.0, 5.0, 1.5], [0.6, 1.5, 3.0]];
        let root = Root::of(3, |one, other| matrix[one][other]).expect("a root");
        for (one, row) in root.0.iter().enumerate() {
            for (other, column) in root.0.iter().enumerate().take(one + 1) {
                let product: f64 = dot(row, column);
                assert!((product - matrix[one][other]).abs() < 1e-12);
            }
        }
        assert!((root.log_determinant() - 40.8_f64.ln()).abs() < 1e-9);
        assert!(Root::of(2, |_, _| 1.0).is_none());
    }
}
