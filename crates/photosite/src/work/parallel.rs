//! Work on many threads with one answer.
#![allow(clippy::disallowed_methods, reason = "threads live here")]

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::context::Context;
use crate::{Error, Result};

/// Calls `work(state, i)` for each i below `count`, on as many threads as the context allows, each
/// with a state of its own.
///
/// The order of calls is not fixed, so `work` must not depend on it. After an error no new call is
/// begun.
///
/// # Errors
/// The error of the lowest index that failed, whatever the number of threads, among the calls that
/// were begun; or that the work was cancelled.
pub fn for_each<S>(
    count: usize,
    context: &Context<'_>,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, usize) -> Result<()> + Sync,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let first: Mutex<Option<(usize, Error)>> = Mutex::new(None);
    let fail = |i: usize, e: Error| {
        failed.store(true, Ordering::Relaxed);
        let mut first = first.lock().expect("no holder panics");
        if first.as_ref().is_none_or(|(j, _)| i < *j) {
            *first = Some((i, e));
        }
    };
    let worker = || {
        let mut state = state();
        while !failed.load(Ordering::Relaxed) {
            let i = next.fetch_add(1, Ordering::Relaxed);
            if i >= count {
                break;
            }
            if let Err(e) = context.cancel.check().and_then(|()| work(&mut state, i)) {
                fail(i, e);
            }
        }
    };
    let threads = context.threads.clamp(1, count.max(1));
    if threads == 1 {
        worker();
    } else {
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(worker);
            }
        });
    }
    match first.into_inner().expect("no holder panics") {
        Some((_, e)) => Err(e),
        None => Ok(()),
    }
}

/// Does `work` for each i below `count` on all threads and gives the answers in their order; what
/// fails is an answer like another.
///
/// # Errors
/// When the work is cancelled.
pub fn on_each<T: Send>(
    count: usize,
    context: &Context<'_>,
    work: impl Fn(usize) -> Result<T> + Sync,
) -> Result<Vec<Result<T>>> {
    on_each_with(count, context, || (), |(), i| work(i))
}

/// The same, each thread with a state of its own.
///
/// # Errors
/// As [`on_each`].
pub fn on_each_with<S, T: Send>(
    count: usize,
    context: &Context<'_>,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, usize) -> Result<T> + Sync,
) -> Result<Vec<Result<T>>> {
    let slots: Vec<Mutex<Option<Result<T>>>> = (0..count).map(|_| Mutex::new(None)).collect();
    for_each(count, context, state, |state, i| {
        *slots[i].lock().expect("no holder panics") = Some(work(state, i));
        Ok(())
    })?;
    let done = slots.into_iter().map(|s| s.into_inner().expect("no holder panics"));
    Ok(done.map(|d| d.expect("every index was visited")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Cancel, Silent};

    #[test]
    fn every_index_once_on_any_number_of_threads() {
        for threads in [1, 2, 7] {
            let cancel = Cancel::default();
            let context =
                Context { threads, memory_bytes: 1 << 30, observer: &Silent, cancel: &cancel };
            let hits: Vec<AtomicUsize> = (0..100).map(|_| AtomicUsize::new(0)).collect();
            let work = |(): &mut (), i: usize| {
                hits[i].fetch_add(1, Ordering::Relaxed);
                Ok(())
            };
            for_each(100, &context, || (), work).unwrap();
            assert!(hits.iter().all(|h| h.load(Ordering::Relaxed) == 1));
            cancel.request();
            assert!(for_each(100, &context, || (), |(), _| Ok(())).is_err());
        }
    }
}
