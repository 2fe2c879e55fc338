//! The spec's front door: good files come in, bad ones are told everything at once, and nothing hostile does harm.
#[test]
fn try_it() {
    let bytes = std::fs::read("manifests/payments.yaml").expect("x");
    match bascule::spec::load::load("manifests/payments.yaml", &bytes) {
        Ok(l) => println!("{}", l.warnings),
        Err(e) => panic!("{e}"),
    }
}
