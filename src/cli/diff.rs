//! The difference between two versions of a text, as `git apply` and people read it.

/// Lines shown around a change.
const CONTEXT_LINES: usize = 3;

/// A unified difference with one hunk, from the first line that differs to the last; empty if nothing does.
pub(super) fn unified(name: &str, before: &str, after: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.split_inclusive('\n').collect(), after.split_inclusive('\n').collect());
    let head = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    if head == old.len() && head == new.len() {
        return String::new();
    }
    let longest_tail = old.len().min(new.len()) - head;
    let tail = old.iter().rev().zip(new.iter().rev()).take(longest_tail).take_while(|(old, new)| old == new).count();
    let (from, below) = (head.saturating_sub(CONTEXT_LINES), tail.min(CONTEXT_LINES));
    let (old_end, new_end) = (old.len() - tail, new.len() - tail);
    let mut text = format!("--- a/{name}\n+++ b/{name}\n");
    text.push_str(&format!("@@ -{} +{} @@\n", range(from, old_end + below), range(from, new_end + below)));
    let mut say = |mark: char, lines: &[&str]| {
        for line in lines {
            text.push(mark);
            text.push_str(line);
            if !line.ends_with('\n') {
                text.push_str("\n\\ No newline at end of file\n");
            }
        }
    };
    say(' ', &old[from..head]);
    say('-', &old[head..old_end]);
    say('+', &new[head..new_end]);
    say(' ', &old[old_end..old_end + below]);
    text
}

/// Lines `from..to`, counted from 0, as a hunk names them.
fn range(from: usize, to: usize) -> String {
    let first = if to > from { from + 1 } else { from };
    format!("{first},{}", to - from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_changed_line_is_shown_with_what_stands_around_it() {
        let before = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        let difference = unified("x", before, &before.replace('5', "five"));
        assert_eq!(difference, "--- a/x\n+++ b/x\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
    }

    #[test]
    fn lines_are_added_at_the_end_of_a_file_without_a_last_newline() {
        let difference = unified("x", "1\n2", "1\n2\n3");
        let marked = "-2\n\\ No newline at end of file\n+2\n+3\n\\ No newline at end of file\n";
        assert_eq!(difference, format!("--- a/x\n+++ b/x\n@@ -1,2 +1,3 @@\n 1\n{marked}"));
    }

    #[test]
    fn equal_texts_have_no_difference() {
        assert_eq!(unified("x", "1\n", "1\n"), "");
    }
}
