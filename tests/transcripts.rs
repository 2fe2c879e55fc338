//! What the program prints, word for word, as committed in `tests/transcripts/`.
//!
//! A rehearsal's lines are not here: they are the story, and [`bascule::rehearsal`] has tests of its own for what it proves.
//!
//! After a wording has been changed on purpose: `TRYCMD=overwrite cargo test --test transcripts`, and read the difference.

#[test]
fn the_program_prints_what_the_transcripts_say() {
    trycmd::TestCases::new()
        .case("tests/transcripts/*.trycmd")
        // Help is wrapped to the terminal; without one, to this width.
        .env("COLUMNS", "100")
        .env("RUST_BACKTRACE", "0")
        .env("BASCULE_SERVER", "http://127.0.0.1:9")
        .run();
}
