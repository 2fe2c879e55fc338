//! Paging, always to the end.

use std::collections::BTreeSet;
use std::future::Future;

use crate::fault::{Fault, Problem};

/// Every item of a paged answer; `page` is asked with `None` first and then with each marker that it gave.
///
/// A marker that comes twice would page for ever, so it is refused: such an answer is not complete.
pub async fn every_page<T, M, Page>(attempted: &str, page: impl Fn(Option<M>) -> Page) -> Result<Vec<T>, Fault>
where
    M: Clone + Ord,
    Page: Future<Output = Result<(Vec<T>, Option<M>), Fault>>,
{
    let (mut items, mut seen) = (Vec::new(), BTreeSet::new());
    let mut marker = None;
    loop {
        let (more, next) = page(marker).await?;
        items.extend(more);
        let Some(next) = next else { return Ok(items) };
        if !seen.insert(next.clone()) {
            let detail = "the same page marker was answered twice".to_owned();
            return Err(Fault { attempted: attempted.to_owned(), problem: Problem::Ambiguous { detail } });
        }
        marker = Some(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pages_are_followed_to_the_end_in_order() {
        let all = every_page("List", |marker: Option<u32>| async move {
            let at = marker.unwrap_or(0);
            Ok((vec![at], Some(at + 1).filter(|next| *next < 4)))
        });
        assert_eq!(all.await.expect("every page answers"), vec![0, 1, 2, 3]);
    }

    #[tokio::test]
    async fn a_marker_answered_twice_is_a_fault_and_not_an_endless_loop() {
        let all = every_page("List", |_: Option<u32>| async { Ok((vec![()], Some(7))) });
        assert!(matches!(all.await.expect_err("it loops").problem, Problem::Ambiguous { .. }));
    }
}
