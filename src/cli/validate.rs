//! `bascule validate`: everything that is wrong with a file, before anything acts on it.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::{Output, file};
use crate::spec::finding::Colour;
use crate::spec::load::{Report, load};

/// Check migration files and report every mistake at once, with its line and column.
///
/// Reads files only: no AWS call, no database. Exits with 0 when every file is accepted (warnings allowed), with 1 otherwise.
#[derive(Debug, Clone, Args)]
pub struct ValidateArgs {
    /// Files, directories of `*.yaml` and `*.yml` files, or `-` for standard input.
    #[arg(required = true, value_name = "FILE|DIR|-")]
    pub paths: Vec<PathBuf>,
    /// Text for people or JSON for programs.
    #[arg(long, short, value_enum, default_value_t)]
    pub output: Output,
    /// Whether to colour the text.
    #[arg(long, value_enum, default_value = "never", value_name = "WHEN")]
    pub color: Colour,
}

/// Runs the command and gives its exit code.
pub fn run(args: &ValidateArgs) -> u8 {
    match write(args, &mut io::stdout().lock()) {
        Ok(true) => 0,
        Ok(false) => 1,
        Err(error) => {
            // Standard error is the last resort; when it is closed too, only the exit code is left.
            let _ = writeln!(io::stderr(), "error: {error}");
            1
        }
    }
}

/// Writes what is found in every file; whether all were accepted.
fn write(args: &ValidateArgs, out: &mut dyn Write) -> io::Result<bool> {
    let mut reports = Vec::new();
    for file in files(&args.paths)? {
        let bytes = read(&file).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))?;
        let name = if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() };
        reports.push(load(&name, &bytes).map_or_else(|report| report, |loaded| loaded.warnings));
    }
    match args.output {
        Output::Text => {
            for report in &reports {
                if !report.findings.is_empty() {
                    writeln!(out, "{}", report.render(args.color))?;
                }
                writeln!(out, "{}", report.summary())?;
            }
        }
        Output::Json => {
            let documents: Vec<_> = reports.iter().map(document).collect();
            writeln!(out, "{:#}", json!(documents))?;
        }
    }
    Ok(reports.iter().all(|report| report.errors() == 0))
}

fn document(report: &Report) -> serde_json::Value {
    json!({ "file": report.file, "errors": report.errors(), "warnings": report.warnings(), "findings": report.findings })
}

/// The files that the arguments name, those of a directory in the order of their names.
fn files(paths: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let mut inside = fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
        inside
            .retain(|file| file.is_file() && file.extension().is_some_and(|extension| extension == "yaml" || extension == "yml"));
        inside.sort();
        if inside.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, format!("{}: no YAML file in this directory", path.display())));
        }
        files.extend(inside);
    }
    Ok(files)
}

/// The beginning of a file or of standard input.
fn read(file: &Path) -> io::Result<Vec<u8>> {
    if file == Path::new("-") { file::beginning(io::stdin().lock()) } else { file::read(file) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validated(paths: &[&str], output: Output) -> (bool, String) {
        let args = ValidateArgs { paths: paths.iter().map(PathBuf::from).collect(), output, color: Colour::Never };
        let mut out = Vec::new();
        let accepted = write(&args, &mut out).expect("the files can be read");
        (accepted, String::from_utf8(out).expect("output is text"))
    }

    #[test]
    fn a_good_file_is_accepted_with_one_line() {
        let (accepted, out) = validated(&["manifests/payments.yaml"], Output::Text);
        assert!(accepted);
        assert_eq!(out, "0 errors, 0 warnings in manifests/payments.yaml\n");
    }

    #[test]
    fn five_mistakes_are_refused_and_the_good_file_beside_them_is_still_checked() {
        let (accepted, out) = validated(&["manifests/mistakes", "manifests/payments.yaml"], Output::Text);
        assert!(!accepted);
        assert!(out.contains("5 errors, 0 warnings in manifests/mistakes/five-mistakes.yaml"), "{out}");
        assert!(out.ends_with("0 errors, 0 warnings in manifests/payments.yaml\n"), "{out}");
    }

    #[test]
    fn programs_get_every_finding_with_file_line_column_and_path() {
        let (accepted, out) = validated(&["manifests/mistakes/five-mistakes.yaml"], Output::Json);
        assert!(!accepted);
        let told: serde_json::Value = serde_json::from_str(&out).expect("output is JSON");
        assert_eq!(told[0]["errors"], 5);
        let first = &told[0]["findings"][0];
        assert_eq!(first["code"], "BAS0204");
        assert_eq!(first["severity"], "error");
        assert_eq!(first["path"], "spec.phase");
        assert!(first["line"].is_u64() && first["column"].is_u64(), "{first}");
    }

    #[test]
    fn a_missing_file_is_an_error_that_names_it() {
        let args = ValidateArgs { paths: vec!["no/such.yaml".into()], output: Output::Text, color: Colour::Never };
        let error = write(&args, &mut Vec::new()).expect_err("there is no such file");
        assert!(error.to_string().starts_with("no/such.yaml: "), "{error}");
    }
}
