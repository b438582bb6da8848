//! Physical backups: pg_basebackup tells bytes sent and, unless asked not to count, bytes in all.

use super::elapsed::seconds;
use super::watcher::Watcher;

/// Course of (seconds, bytes), and the bytes in all; `None` where nothing is counted.
pub(super) fn course(watcher: &Watcher) -> Option<(Vec<(f64, f64)>, f64)> {
    let streaming: Vec<_> = watcher
        .points
        .iter()
        .filter_map(|p| p.streamed.map(|s| (p.at, s)))
        .collect();
    let (_, (_, total)) = *streaming.last()?;
    let origin = watcher
        .points
        .iter()
        .take_while(|p| p.streamed.is_none_or(|s| s.0 == 0.0))
        .last()
        .map(|p| p.at)
        .or(watcher.started)?;
    let mut course = vec![(0.0, 0.0)];
    course.extend(
        streaming
            .iter()
            .filter(|(at, _)| *at > origin)
            .map(|(at, (sent, _))| (seconds(origin, *at), *sent)),
    );
    Some((course, total?))
}
