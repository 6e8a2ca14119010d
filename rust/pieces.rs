//! Work over many threads, in pieces: the same results, whatever the number of threads.
//!
//! Consecutive texts form pieces of about as much work, and threads take the next piece whenever they are done with
//! one, so that neither a long text nor a slow core holds the others back.
//!
//! Threads are started for each call and end with it. A pool that outlives the call would be cheaper by some tens of
//! microseconds, but has no threads left in a child after `fork`, where the first batch would wait for ever; and
//! forking is how Python's `multiprocessing` commonly starts its workers.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// A piece is done once it has this much work, in bytes of text: several hundred microseconds, which is long against
/// starting a thread and short against the patience of whoever presses Ctrl-C.
const PIECE: usize = 32 << 10;
/// No text is added to a piece that would get more than this.
const MOST_IN_A_PIECE: usize = 2 * PIECE;
/// What a text costs beside its bytes: pooling, softmax, writing the answer.
const PER_TEXT: usize = 64;
/// How often the calling thread asks whether it was interrupted.
const INTERVAL: Duration = Duration::from_millis(25);

/// Consecutive texts in pieces of about as much work, given what each text costs.
pub(crate) fn cut(work: impl Iterator<Item = usize>) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let (mut start, mut end, mut sum) = (0, 0, 0_usize);
    for work in work {
        let work = work.saturating_add(PER_TEXT);
        if sum >= PIECE || (sum > 0 && sum.saturating_add(work) > MOST_IN_A_PIECE) {
            pieces.push(start..end);
            (start, sum) = (end, 0);
        }
        end += 1;
        sum = sum.saturating_add(work);
    }
    if start < end {
        pieces.push(start..end);
    }
    pieces
}

/// The parts of `output`, of `width` places a text, that belong to each of `ranges`.
pub(crate) fn split<'a, T>(ranges: &[Range<usize>], width: usize, mut output: &'a mut [T]) -> Vec<&'a mut [T]> {
    let mut parts = Vec::with_capacity(ranges.len());
    for range in ranges {
        let (part, rest) = output.split_at_mut(range.len() * width);
        parts.push(part);
        output = rest;
    }
    parts
}

/// Whether all threads are to stop after the text they are at.
pub(crate) struct Stop(AtomicBool);

impl Stop {
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Does `work` on every piece; `lend` gives a thread what it works with.
///
/// The error is that of the first piece that has one: pieces are taken in order, and one that was taken is finished,
/// so this too is the same for every number of threads.
pub(crate) fn in_pieces<P: Send, W>(
    pieces: Vec<P>,
    threads: Option<usize>,
    interrupted: &mut dyn FnMut() -> bool,
    lend: impl Fn(&mut dyn FnMut(&mut W)) + Sync,
    work: impl Fn(&mut W, P, &Stop) -> Result<()> + Sync,
) -> Result<()> {
    let threads = match threads {
        Some(0) => return Err(Error::InvalidArgument("threads: expected at least 1, found 0".into())),
        Some(threads) => threads,
        // Asking reads several files of the system.
        None if pieces.len() < 2 => 1,
        None => thread::available_parallelism().map_or(1, usize::from),
    };
    let threads = threads.min(pieces.len());
    let queue = Mutex::new(pieces.into_iter().enumerate());
    let failed: Mutex<Option<(usize, Error)>> = Mutex::new(None);
    let stop = Stop(AtomicBool::new(false));

    // A thread that panicked did so outside of these short locks, and its panic is passed on when it is joined.
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let fail = |index: usize, error: Error| {
        // Nothing is taken any more, but what was taken is finished: it may fail earlier in the texts.
        *queue.lock().unwrap_or_else(PoisonError::into_inner) = Vec::new().into_iter().enumerate();
        let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.as_ref().is_none_or(|(first, _)| index < *first) {
            *failed = Some((index, error));
        }
    };
    let take_pieces = |between: &mut dyn FnMut()| {
        lend(&mut |workspace| {
            while !stop.is_set()
                && let Some((index, piece)) = next()
            {
                if let Err(error) = work(workspace, piece, &stop) {
                    fail(index, error);
                }
                between();
            }
        });
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            // Where no more threads can be started, those that there are do it all.
            if thread::Builder::new().spawn_scoped(scope, || take_pieces(&mut || ())).is_err() {
                break;
            }
        }
        let mut asked = Instant::now();
        take_pieces(&mut || {
            if asked.elapsed() >= INTERVAL {
                stop.0.fetch_or(interrupted(), Ordering::Relaxed);
                asked = Instant::now();
            }
        });
    });
    match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        _ if stop.is_set() => Err(Error::Interrupted),
        Some((_, error)) => Err(error),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every text is in one piece, pieces are in order, and each is full but not overfull, unless it is one text.
    fn check(work: &[usize]) -> Vec<Range<usize>> {
        let pieces = cut(work.iter().copied());
        let joined: Vec<usize> = pieces.iter().cloned().flatten().collect();
        assert_eq!(joined, (0..work.len()).collect::<Vec<_>>());
        let sums: Vec<usize> =
            pieces.iter().map(|piece| work[piece.clone()].iter().map(|w| w + PER_TEXT).sum()).collect();
        for (at, (piece, &sum)) in pieces.iter().zip(&sums).enumerate() {
            assert!(sum <= MOST_IN_A_PIECE || piece.len() == 1, "{piece:?} has {sum}");
            let next = work.get(piece.end).map(|work| work + PER_TEXT);
            assert!(
                sum >= PIECE || next.is_none_or(|next| sum + next > MOST_IN_A_PIECE),
                "piece {at}, {piece:?}, has only {sum}"
            );
        }
        pieces
    }

    #[test]
    fn pieces_are_of_about_as_much_work() {
        assert!(check(&[]).is_empty());
        assert_eq!(check(&[0]).len(), 1);
        assert_eq!(check(&[0; 1000]).len(), (1000 * PER_TEXT).div_ceil(PIECE));
        // A long text is a piece of its own, and so are its neighbours.
        assert_eq!(check(&[10, 10, 1 << 30, 10, 10]), [0..2, 2..3, 3..5]);
        assert_eq!(check(&[PIECE; 3]), [0..1, 1..2, 2..3]);
        assert_eq!(check(&[PIECE - PER_TEXT - 1; 4]), [0..2, 2..4]);
        let mut state = 1_usize;
        for length in 0..300 {
            let work: Vec<usize> = (0..length)
                .map(|_| {
                    state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    (state >> 33) >> ((state >> 20) % 31)
                })
                .collect();
            check(&work);
        }
        assert_eq!(cut([usize::MAX; 2].into_iter()), [0..1, 1..2]);
    }

    #[test]
    fn the_error_is_that_of_the_first_piece_that_has_one() {
        for threads in [1, 2, 7] {
            for first in [0, 3, 98] {
                let work = |(): &mut (), piece: usize, _: &Stop| {
                    // Later pieces fail sooner.
                    thread::sleep(Duration::from_micros(if piece == first { 300 } else { 10 }));
                    if piece < first { Ok(()) } else { Err(Error::InvalidArgument(piece.to_string())) }
                };
                let lend = |use_it: &mut dyn FnMut(&mut ())| use_it(&mut ());
                let error = in_pieces((0..100).collect(), Some(threads), &mut || false, lend, work).unwrap_err();
                assert_eq!(error.to_string(), first.to_string());
            }
        }
    }
}
