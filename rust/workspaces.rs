//! Workspaces of threads that come and go.

use std::sync::Mutex;

/// More threads at once than this work in new ones.
const MOST_KEPT: usize = 32;

/// Workspaces that are kept between calls, each locked while it is used. Nobody waits for a lock: not when threads meet,
/// and not in a child that was forked while a thread of its parent held one.
pub(crate) struct Workspaces<W>(Box<[Mutex<Option<W>>]>);

impl<W> Workspaces<W> {
    pub(crate) fn new() -> Self {
        Self((0..MOST_KEPT).map(|_| Mutex::new(None)).collect())
    }

    /// Calls `use_it` with the first workspace that is free.
    pub(crate) fn with<R>(&self, make: impl FnOnce() -> W, use_it: impl FnOnce(&mut W) -> R) -> R {
        for workspace in &self.0 {
            if let Ok(mut workspace) = workspace.try_lock() {
                return use_it(workspace.get_or_insert_with(make));
            }
        }
        use_it(&mut make())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workspaces_are_kept_and_never_waited_for() {
        let workspaces = Workspaces::new();
        workspaces.with(|| 1, |workspace| *workspace = 2);
        workspaces.with(
            || 3,
            |kept| {
                assert_eq!(*kept, 2);
                // That one is taken, so another is made, and kept as well.
                workspaces.with(|| 4, |new| assert_eq!(*new, 4));
            },
        );
        let locked: Vec<_> = workspaces.0.iter().map(|workspace| workspace.lock().expect("no panic")).collect();
        workspaces.with(|| 5, |new| assert_eq!(*new, 5));
        assert_eq!(locked.iter().map(|workspace| **workspace).collect::<Vec<_>>()[..3], [Some(2), Some(4), None]);
    }
}
